/**
 * Each item with what `work` makes of it, in the order of the items. Up to `width` are worked on at once, and none
 * before a reader asks. When the reader leaves early, or `work` fails, those under way are waited for.
 *
 * @throws what `work` throws, at its place in the order
 */
export async function* inOrder<T, R>(
  items: Iterable<T>,
  width: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<readonly [T, R], void, undefined> {
  const iterator = items[Symbol.iterator]();
  const underWay: (readonly [T, Promise<R>])[] = [];
  try {
    for (;;) {
      while (underWay.length < width) {
        const { done, value } = iterator.next();
        if (done) break;
        const result = work(value);
        // Whoever reads the item sees its error; one that nobody comes to read is no accident.
        result.catch(() => undefined);
        underWay.push([value, result]);
      }
      const next = underWay.shift();
      if (!next) return;
      yield [next[0], await next[1]];
    }
  } finally {
    await Promise.allSettled(underWay.map(([, result]) => result));
  }
}
