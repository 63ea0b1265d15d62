import { LlavaError } from "../../errors/index.ts";
import { unpackError } from "./picture-job.ts";
import type { PictureJob, WorkerMessage } from "./picture-job.ts";
import type { ProcessedImage } from "./processors.ts";
import type { StartWorker, WorkerLink } from "./worker-link.ts";

/** A worker thread that ended with pictures in its hands, or that was asked for more. */
export class PictureWorkerError extends LlavaError {
  override name = "PictureWorkerError";

  constructor(
    /** The picture that was to be processed. */
    readonly picture: string,
    /** What became of the worker. */
    readonly reason: string,
  ) {
    super(`worker for pictures: expected the pixels of image ${picture}, but ${reason}`);
  }
}

/** Milliseconds that a worker may take to start: one that a page's host never answers for must not hold up anything. */
const START_LIMIT = 20_000;

interface Waiting {
  readonly picture: string;
  readonly resolve: (picture: ProcessedImage) => void;
  readonly reject: (error: Error) => void;
}

/** One worker and the jobs that it has been given. */
export class PictureThread {
  readonly #waiting = new Map<number, Waiting>();
  readonly #started: Promise<boolean>;
  #link: WorkerLink | undefined;
  /** Why the worker takes no jobs any more. */
  #ended: string | undefined;
  #next = 0;
  #load = 0;

  constructor(start: StartWorker) {
    this.#started = new Promise((resolve) => {
      let started: boolean | undefined;
      const decide = (ready: boolean) => {
        if (started !== undefined) return;
        started = ready;
        clearTimeout(limit);
        resolve(ready);
        if (!ready) void this.#link?.stop();
      };
      const limit = setTimeout(() => decide(false), START_LIMIT);
      const message = (said: WorkerMessage) => (said.kind === "ready" ? decide(true) : this.#settle(said));
      const failed = (reason: string) => {
        decide(false);
        if (started) this.#end(`the worker stopped (${reason.replace(/\s+/g, " ")}); workers: 0 does without`);
      };
      try {
        this.#link = start({ message, failed });
        this.#link.hold(false);
      } catch {
        decide(false);
      }
    });
  }

  /** Jobs under way. */
  get load(): number {
    return this.#load;
  }

  /**
   * Hands over a job, whose buffers then belong to the worker. Undefined, and the job untouched, if the worker cannot be
   * started.
   *
   * @param transfer the buffers of the job
   * @throws what `runJob` throws; PictureWorkerError if the worker ends before the job is done
   */
  async run(job: PictureJob, transfer: Transferable[]): Promise<ProcessedImage | undefined> {
    if (this.#load++ === 0) this.#link?.hold(true);
    try {
      const started = await this.#started;
      const picture = "name" in job.picture ? job.picture.name : "from raw pixels";
      if (this.#ended !== undefined) throw new PictureWorkerError(picture, this.#ended);
      return started ? await this.#ask(job, picture, transfer) : undefined;
    } finally {
      if (--this.#load === 0) this.#link?.hold(false);
    }
  }

  /** Ends the worker; its jobs fail. */
  async close(): Promise<void> {
    this.#end("the pool of workers was closed");
    await this.#link?.stop();
  }

  #ask(job: PictureJob, picture: string, transfer: Transferable[]): Promise<ProcessedImage> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { picture, resolve, reject });
      this.#link!.post({ id, job }, transfer);
    });
  }

  #settle(said: Exclude<WorkerMessage, { kind: "ready" }>): void {
    const waiting = this.#waiting.get(said.id);
    this.#waiting.delete(said.id);
    if (said.kind === "done") waiting?.resolve(said.picture);
    else waiting?.reject(unpackError(said.failure));
  }

  #end(reason: string): void {
    this.#ended ??= reason;
    for (const { picture, reject } of this.#waiting.values()) reject(new PictureWorkerError(picture, this.#ended));
    this.#waiting.clear();
  }
}
