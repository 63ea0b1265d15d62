import { coreCount, startWorker } from "#workers";
import { readPicture } from "./decode.ts";
import { runJob } from "./picture-job.ts";
import type { PictureJob, PictureProcessor } from "./picture-job.ts";
import { PictureThread, PictureWorkerError } from "./picture-thread.ts";
import type { StartWorker } from "./worker-link.ts";

/** How many workers are of use beside a thread that trains: two, if there are cores for them. */
export function defaultWorkers(): number {
  return Math.max(0, Math.min(2, coreCount() - 1));
}

/**
 * Worker threads that decode and process pictures: `worker_threads` in Node, module workers in a browser. The caller's
 * thread reads the files, which waits but does not compute; the bytes go over and the pixels come back without a copy.
 *
 * Workers start when they are first needed, and keep no process alive while they have nothing to do. Where none can
 * start (a page's security policy, a bundler that left their script behind) the caller's thread does the work: the
 * pixels are the same. What is under way is bounded by the calls that are not yet answered, so the caller bounds it.
 */
export class PicturePool {
  readonly #threads: PictureThread[] = [];
  #closed = false;

  constructor(
    /** Most workers; 0: the caller's thread does everything. */
    readonly size: number = defaultWorkers(),
    private readonly start: StartWorker = startWorker,
  ) {}

  /** @throws also PictureWorkerError if a worker dies, or if the pool is closed */
  readonly process: PictureProcessor = async (source, steps, several, signal) => {
    const picture = await readPicture(source, signal);
    const given = source instanceof Uint8Array || source instanceof ArrayBuffer;
    // The caller's own bytes stay with the caller.
    const job = "bytes" in picture && given
      ? { picture: { ...picture, bytes: picture.bytes.slice() }, steps, several }
      : { picture, steps, several };
    const processed = await untilAborted(this.#thread(job)?.run(job, [bufferOf(job)]), signal);
    return processed ?? runJob(job, signal);
  };

  /** Ends the workers; pictures under way fail. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  /** One with nothing to do, else a new one, else the one with the fewest jobs. */
  #thread({ picture }: PictureJob): PictureThread | undefined {
    if (this.#closed) {
      throw new PictureWorkerError("name" in picture ? picture.name : "from raw pixels", "the pool of workers was closed");
    }
    const idlest = this.#threads.reduce<PictureThread | undefined>(
      (best, thread) => (best && best.load <= thread.load ? best : thread),
      undefined,
    );
    if (idlest?.load === 0 || this.#threads.length >= this.size) return idlest;
    const thread = new PictureThread(this.start);
    this.#threads.push(thread);
    return thread;
  }
}

function bufferOf({ picture }: PictureJob): ArrayBuffer {
  return ("bytes" in picture ? picture.bytes : picture.data).buffer as ArrayBuffer;
}

/** The result of `work`, or the signal's reason as soon as it is aborted. */
function untilAborted<T>(work: Promise<T> | undefined, signal: AbortSignal | undefined): Promise<T> | undefined {
  if (!work || !signal) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
