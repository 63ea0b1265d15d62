import { describe, expect, it } from "vitest";
import { DataError } from "./error.ts";
import { prefetch } from "./prefetch.ts";

/** Lets everything happen that waits for nothing. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

/** Counts up; notes what it made and whether it was closed. */
function counter(end: number, fail = Infinity) {
  const log = { made: 0, closed: false, busy: 0, mostBusy: 0 };
  async function* count() {
    try {
      for (let i = 0; i < end; i++) {
        log.mostBusy = Math.max(log.mostBusy, ++log.busy);
        await settle();
        log.busy--;
        if (i === fail) throw new Error(`no ${i}`);
        log.made++;
        yield i;
      }
    } finally {
      log.closed = true;
    }
  }
  return { log, items: count() };
}

describe("prefetch", () => {
  it.each([1, 2, 7])("gives the items in order, %d ahead", async (depth) => {
    const { log, items } = counter(5);
    const got: number[] = [];
    for await (const item of prefetch(items, depth)) got.push(item);
    expect(got).toEqual([0, 1, 2, 3, 4]);
    expect(log).toEqual({ made: 5, closed: true, busy: 0, mostBusy: 1 });
  });

  it("makes no more than depth ahead", async () => {
    const { log, items } = counter(100);
    const ahead = prefetch(items, 3);
    await ahead.next();
    for (let i = 0; i < 10; i++) await settle();
    expect(log.made).toBe(1 + 3);
    await ahead.next();
    for (let i = 0; i < 10; i++) await settle();
    expect(log.made).toBe(2 + 3);
    await ahead.return();
    expect(log.closed).toBe(true);
    expect(log.made).toBe(2 + 3);
  });

  it("throws an error at its place, once the items before it are taken", async () => {
    const { log, items } = counter(9, 2);
    const got: number[] = [];
    const reading = (async () => {
      for await (const item of prefetch(items, 4)) got.push(item);
    })();
    await expect(reading).rejects.toThrow("no 2");
    expect(got).toEqual([0, 1]);
    expect(log.closed).toBe(true);
  });

  it("closes the source when the reader leaves before an error that nobody sees", async () => {
    const { log, items } = counter(9, 1);
    for await (const item of prefetch(items, 4)) if (item === 0) break;
    expect(log.closed).toBe(true);
  });

  it("refuses a depth of 0", async () => {
    await expect(prefetch(counter(1).items, 0).next()).rejects.toThrow(DataError);
  });
});
