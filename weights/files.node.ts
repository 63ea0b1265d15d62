import { randomUUID } from "node:crypto";
import { appendFile, mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { reason, WeightError } from "./error.ts";
import { pieceBytes, pieceSource } from "./source.ts";
import type { ByteSink, ByteSource } from "./source.ts";

/**
 * The file at `path` as a source.
 *
 * Reads go through `FileHandle.read` in pieces: Node aborts the process on a length of 2 GiB or more, and
 * `fs.openAsBlob` cuts sizes to 32 bits. Positions beyond 2^32 are fine.
 *
 * @throws WeightError if there is no such file, it is not a regular file, or it may not be read.
 */
export async function openFile(path: string): Promise<ByteSource> {
  // Before open(), which would wait for ever on a named pipe.
  const found = await stat(path).catch((error: unknown) => {
    throw fileError("cannot open", path, error);
  });
  if (!found.isFile()) throw new WeightError(`expected a file, got ${path}, which is not one`, { file: path });
  const handle = await open(path, "r").catch((error: unknown) => {
    throw fileError("cannot open", path, error);
  });
  const readPiece = async (into: Uint8Array, start: number): Promise<number> =>
    (await handle.read(into, 0, into.length, start)).bytesRead;
  return pieceSource(path, (await handle.stat()).size, readPiece, () => handle.close());
}

/** The temporary files that this process is writing. */
const unfinished = new Set<string>();

/**
 * A sink that writes to a temporary name beside `path` and renames it when closed, so that `path` is never half a file.
 * Missing folders are made. What a process that was killed left of an earlier file for `path` is removed.
 */
export async function createFile(path: string): Promise<ByteSink> {
  const temporary = resolve(`${path}.${process.pid}.${randomUUID()}.partial`);
  let handle: FileHandle | undefined;
  unfinished.add(temporary);
  try {
    await mkdir(dirname(path), { recursive: true });
    await removeAbandoned(path);
    handle = await open(temporary, "wx");
  } catch (error) {
    unfinished.delete(temporary);
    throw fileError("cannot write", path, error);
  }
  const file = handle;
  const discard = async (): Promise<void> => {
    await file.close().catch(() => {});
    await unlink(temporary).catch(() => {});
    unfinished.delete(temporary);
  };
  const orDiscard = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      await discard();
      throw fileError("cannot write", path, error);
    }
  };
  return {
    name: path,
    write: (bytes) =>
      orDiscard(async () => {
        for (let done = 0; done < bytes.length; ) {
          const piece = bytes.subarray(done, done + pieceBytes);
          done += (await file.write(piece, 0, piece.length)).bytesWritten;
        }
      }),
    sync: () => orDiscard(() => file.sync()),
    close: () =>
      orDiscard(async () => {
        await file.sync();
        await file.close();
        await rename(temporary, path);
        unfinished.delete(temporary);
      }),
    abort: discard,
  };
}

/**
 * Removes the temporary files for `path` whose process has ended on this machine. What another living process writes
 * stays; so does what is left of a process whose number another one has by now, until that one ends too.
 */
async function removeAbandoned(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  const names = await readdir(dirname(path)).catch(() => []);
  for (const name of names.filter((each) => each.startsWith(prefix))) {
    const writer = /^(\d+)\.[\da-f-]{36}\.partial$/.exec(name.slice(prefix.length))?.[1];
    const temporary = resolve(dirname(path), name);
    if (writer === undefined || unfinished.has(temporary)) continue;
    // Of this process's number, but not its own: left by an earlier process of that number, as in a restarted container.
    if (Number(writer) === process.pid || !isRunning(Number(writer))) await unlink(temporary).catch(() => {});
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, as another user's.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Adds text to the end of the file at `path`, which is made if need be, with its folders. */
export async function appendText(path: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await appendFile(path, text);
  } catch (error) {
    throw fileError("cannot write", path, error);
  }
}

/** Whether there is a file (not a folder) at `path`. */
export async function fileExists(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/**
 * Names of the files of a folder, sorted; subfolders are left out.
 *
 * @throws WeightError if `path` is not a folder that may be read.
 */
export async function listFolder(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name).sort();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const details = { file: path, expected: "a folder", got: code };
    if (code === "ENOTDIR") {
      throw new WeightError(`expected a model folder, got the file ${path}; name the folder that holds it`, details);
    }
    if (code === "ENOENT") {
      const hint = path.startsWith("~") ? '; "~" is not expanded, write the whole path' : "";
      throw new WeightError(`there is no folder ${path} (looked for ${resolve(path)})${hint}`, details);
    }
    throw fileError("cannot list", path, error);
  }
}

/** Path of `file` inside the folder `path`. */
export function joinPath(path: string, file: string): string {
  return join(path, file);
}

/** Path that a `file:` address names. */
export function pathOfUrl(url: URL): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new WeightError(`${url.href} does not name a local file: ${reason(error)}`, { file: url.href });
  }
}

function fileError(what: string, path: string, error: unknown): WeightError {
  const code = (error as NodeJS.ErrnoException).code;
  const plain: Record<string, string> = {
    ENOENT: "there is no such file",
    EACCES: "permission denied",
    EISDIR: "it is a folder",
    ENOSPC: "the disk is full",
  };
  const details = { file: path, got: code };
  return new WeightError(`${what} ${path}: ${plain[code ?? ""] ?? reason(error)}`, details, { cause: error });
}
