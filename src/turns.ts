/** Calls that must not overlap: each waits for its turn. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Settles when all turns that were taken so far are over. */
  get taken(): Promise<void> {
    return this.#last;
  }

  /** Waits until earlier turns are over; returns what ends this one. Throws the signal's reason if aborted: it is over then. */
  async take(signal: AbortSignal): Promise<() => void> {
    const before = this.#last;
    let end!: () => void;
    this.#last = new Promise<void>((resolve) => (end = resolve));
    try {
      await settledOrAborted(before, signal);
    } catch (reason) {
      void before.then(end);
      throw reason;
    }
    return end;
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
