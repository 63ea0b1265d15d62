import { LlavaError } from "../errors/index.ts";

/** A model or a trainer was disposed while, or before, something was asked of it. */
export class DisposedError extends LlavaError {
  override name = "DisposedError";
}

/** Calls that must not overlap: each waits for its turn. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Settles when all turns that were taken so far are over. */
  get taken(): Promise<void> {
    return this.#last;
  }

  /** Waits until earlier turns are over; returns what ends this one. Throws the signal's reason if aborted: it is over then. */
  async take(signal?: AbortSignal): Promise<() => void> {
    const before = this.#last;
    let end!: () => void;
    this.#last = new Promise<void>((resolve) => (end = resolve));
    try {
      await (signal ? settledOrAborted(before, signal) : before);
    } catch (reason) {
      void before.then(end);
      throw reason;
    }
    return end;
  }
}

/** The calls of an object that is disposed of at last: one at a time, and none after that. */
export class Calls {
  readonly #turns = new Turns();
  #disposing: Promise<void> | undefined;

  /** @param owner what a `DisposedError` calls the object */
  constructor(private readonly owner: string) {}

  /** Makes a call when all earlier ones are over. Rejects with `DisposedError` once `dispose` was called. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#disposing) throw new DisposedError(`this ${this.owner} was disposed; make another one`);
    return this.#run(call);
  }

  /** Makes the last call, once. */
  dispose(free: () => Promise<void>): Promise<void> {
    return (this.#disposing ??= this.#run(free));
  }

  async #run<T>(call: () => Promise<T>): Promise<T> {
    const end = await this.#turns.take();
    try {
      return await call();
    } finally {
      end();
    }
  }
}

/** Waits for a promise, but no longer than until the signal is aborted; throws the signal's reason then. */
async function settledOrAborted(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  let stop!: () => void;
  const aborted = new Promise<void>((resolve) => (stop = resolve));
  signal.addEventListener("abort", stop, { once: true });
  if (!signal.aborted) await Promise.race([promise, aborted]);
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
}
