import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { StartWorker } from "./worker-link.ts";

/** Starts `picture-worker.node.ts`, as it lies beside this module once built, in a thread. */
export const startWorker: StartWorker = ({ message, failed }) => {
  const script = new URL(/* @vite-ignore */ "./picture-worker.node.js", import.meta.url);
  // Without the options of this process: some, as --input-type, do not go with a script.
  const worker = new Worker(script, { execArgv: [], name: "llava pictures" });
  worker.on("message", message);
  worker.on("error", (error: unknown) => failed(error instanceof Error ? error.message : String(error)));
  worker.on("messageerror", (error) => failed(error.message));
  worker.on("exit", (code) => failed(`it ended with code ${code}`));
  return {
    post: (data, transfer) => worker.postMessage(data, transfer as ArrayBuffer[]),
    hold: (held) => (held ? worker.ref() : worker.unref()),
    stop: async () => void (await worker.terminate()),
  };
};

/** Threads that can run at the same time. */
export function coreCount(): number {
  return availableParallelism();
}
