import { describe, expect, it } from "vitest";
import { inOrder } from "./in-order.ts";

/** Lets everything happen that waits for nothing. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

/** Work that takes the longer the smaller its item is, and notes how much of it goes on at once. */
function worker(fail = Infinity) {
  const log = { begun: 0, busy: 0, mostBusy: 0 };
  const work = async (item: number) => {
    log.begun++;
    log.mostBusy = Math.max(log.mostBusy, ++log.busy);
    for (let i = item; i < 8; i++) await settle();
    log.busy--;
    if (item >= fail) throw new Error(`no ${item}`);
    return item * item;
  };
  return { log, work };
}

const items = [0, 1, 2, 3, 4, 5, 6, 7];

describe("inOrder", () => {
  it.each([1, 2, 3, 20])("keeps the order with %d at once", async (width) => {
    const { log, work } = worker();
    const got: (readonly [number, number])[] = [];
    for await (const pair of inOrder(items, width, work)) got.push(pair);
    expect(got).toEqual(items.map((item) => [item, item * item]));
    expect(log).toEqual({ begun: items.length, busy: 0, mostBusy: Math.min(width, items.length) });
  });

  it("begins nothing before it is asked, and no more than width", async () => {
    const { log, work } = worker();
    const reader = inOrder(items, 3, work);
    await settle();
    expect(log.begun).toBe(0);
    await reader.next();
    for (let i = 0; i < 20; i++) await settle();
    expect(log.begun).toBe(3);
    await reader.return();
  });

  it("throws an error at its place, once nothing is under way", async () => {
    const { log, work } = worker(2);
    const got: number[] = [];
    const reading = (async () => {
      for await (const [item] of inOrder(items, 4, work)) got.push(item);
    })();
    await expect(reading).rejects.toThrow("no 2");
    expect(got).toEqual([0, 1]);
    expect(log.busy).toBe(0);
  });

  it("waits for what is under way when the reader leaves", async () => {
    const { log, work } = worker(3);
    for await (const [item] of inOrder(items, 4, work)) if (item === 0) break;
    expect(log.busy).toBe(0);
  });
});
