import { createFile, joinPath } from "#files";
import type { ByteSink } from "../../weights/index.ts";
import { OptionError } from "../generate/errors.ts";

/** Where files are written to: a folder's path (Node), or what gives a sink for each file's name (`blobSink` in a browser). */
export type SaveTarget = string | ((file: string) => ByteSink | Promise<ByteSink>);

/** A sink for one file of the target. Throws `OptionError` for what is no target, `WeightError`. */
export async function openSink(target: SaveTarget, file: string): Promise<ByteSink> {
  if (typeof target === "string") return createFile(joinPath(target, file));
  if (typeof target !== "function") throw new OptionError("target", "a folder's path, or a function that gives a sink for a file's name", target);
  return target(file);
}

/** The same sink for a writer that would end it. Whoever opened it closes or aborts it. */
export function keepOpen(sink: ByteSink): ByteSink {
  return { name: sink.name, write: (bytes) => sink.write(bytes), close: async () => {}, abort: async () => {} };
}

/**
 * Several sinks whose files appear together: the others as the last one is closed, in front of it. A process that is
 * killed before leaves what was there; so does an error, after which nothing of the new files is left.
 */
export function closeTogether(others: readonly ByteSink[], last: ByteSink): ByteSink {
  return {
    name: last.name,
    write: (bytes) => last.write(bytes),
    close: async () => {
      const open = [...others, last];
      try {
        // The files appear one directly after another: no disk is waited for in between.
        for (const sink of open) await sink.sync?.();
        while (open.length > 0) await open.shift()!.close();
      } catch (error) {
        for (const sink of open) await sink.abort();
        throw error;
      }
    },
    abort: async () => {
      for (const sink of [...others, last]) await sink.abort();
    },
  };
}
