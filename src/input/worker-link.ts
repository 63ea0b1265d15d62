import type { WorkerMessage } from "./picture-job.ts";

/** A worker as its caller holds it. */
export interface WorkerLink {
  /** Sends a message; the buffers of `transfer` go over to the worker and are empty here from then on. */
  post(message: unknown, transfer: Transferable[]): void;
  /** Whether the process shall live on for this worker (Node). */
  hold(held: boolean): void;
  /** Ends the worker, whatever it is doing. */
  stop(): Promise<void>;
}

/** What a worker's caller is told. */
export interface WorkerEvents {
  message(message: WorkerMessage): void;
  /** It cannot be started, or it died. May be told more than once. */
  failed(reason: string): void;
}

/** Starts a worker that serves picture jobs. May throw where workers are not allowed. */
export type StartWorker = (events: WorkerEvents) => WorkerLink;
