import { checkCount } from "./error.ts";

/**
 * The items of `source` in their order: while the reader works on one, up to `depth` further ones are made, so that
 * pictures are decoded while the GPU computes. The source is asked for one item at a time. When the reader leaves early
 * the item being made is waited for, and the source is closed.
 *
 * @throws what the source throws, at its place in the order; DataError if `depth` is not a whole number of at least 1
 */
export async function* prefetch<T>(source: AsyncIterable<T>, depth: number): AsyncGenerator<T, void, undefined> {
  checkCount("prefetch: depth", depth, 1);
  const iterator = source[Symbol.asyncIterator]();
  const ahead: Promise<IteratorResult<T>>[] = [];
  let last: Promise<unknown> = Promise.resolve();
  let left = false;
  const ask = async (before: Promise<unknown>): Promise<IteratorResult<T>> => {
    await before;
    return left ? { done: true, value: undefined } : iterator.next();
  };
  try {
    for (;;) {
      while (ahead.length <= depth) {
        const next = ask(last);
        // Whoever reads the item sees its error; one that nobody comes to read is no accident.
        next.catch(() => undefined);
        ahead.push(next);
        last = next;
      }
      const item = await ahead.shift()!;
      if (item.done) return;
      yield item.value;
    }
  } finally {
    left = true;
    await last.catch(() => undefined);
    await iterator.return?.();
  }
}
