/** Runs the built `llava` command in a process of its own. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "../harness/sources.ts";

export const cli = join(root, "dist/cli.js");
export const sample = (name: string): string => join(root, "models/emoji-llava/samples", name);

export interface Finished {
  /** Exit status, or the name of the signal that ended the process. */
  status: number | string;
  stdout: string;
  stderr: string;
}

export function start(words: readonly string[], environment: NodeJS.ProcessEnv = {}): ChildProcessWithoutNullStreams {
  if (!existsSync(cli)) throw new Error("dist/: the build must be there; run npm run build");
  return spawn(process.execPath, [cli, ...words], { env: { ...process.env, ...environment } });
}

/** Waits for the end. Node gives children sockets, through which Dawn's own warnings come (see notes.ts): they are left out. */
export function finish(child: ChildProcessWithoutNullStreams): Promise<Finished> {
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      resolve({ status: code ?? signal!, stdout, stderr: stderr.replace(/^Warning: max\w+ artificially reduced .*\n/gm, "") });
    });
  });
}

/** Runs to the end, with `input` as standard input. */
export function llava(words: readonly string[], input = ""): Promise<Finished> {
  const child = start(words);
  child.stdin.end(input);
  return finish(child);
}
