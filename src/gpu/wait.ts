/** Longest pause between two polls, in milliseconds. */
const LONGEST_PAUSE = 1;
const FIRST_PAUSE = 0.02;

const cell = typeof SharedArrayBuffer === "undefined" ? undefined : new Int32Array(new SharedArrayBuffer(4));

/**
 * Awaits a promise of a software adapter. In Node, Dawn polls its queue in every turn of the event loop while a promise is
 * pending, which takes a whole core from the rasteriser; sleeping between the turns gives it back. Elsewhere a plain await.
 */
export async function patiently<T>(promise: Promise<T>): Promise<T> {
  if (typeof setImmediate !== "function" || !cell) return promise;
  let settled = false;
  const settle = () => {
    settled = true;
  };
  promise.then(settle, settle);
  for (let pause = FIRST_PAUSE; !settled; pause = Math.min(pause * 1.5, LONGEST_PAUSE)) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!settled) Atomics.wait(cell, 0, 0, pause);
  }
  return promise;
}
