import type { WorkerMessage } from "./picture-job.ts";
import type { StartWorker } from "./worker-link.ts";

/** Starts `picture-worker.browser.ts` as a module worker. Bundlers know this form of naming it. */
export const startWorker: StartWorker = ({ message, failed }) => {
  const worker = new Worker(new URL("./picture-worker.browser.ts", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data }) => message(data as WorkerMessage));
  worker.addEventListener("messageerror", () => failed("a message of it cannot be read"));
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    failed(event.message ?? "its script cannot be loaded");
  });
  return {
    post: (data, transfer) => worker.postMessage(data, transfer),
    hold: () => {},
    stop: async () => worker.terminate(),
  };
};

/** Threads that can run at the same time. */
export function coreCount(): number {
  return navigator.hardwareConcurrency ?? 1;
}
