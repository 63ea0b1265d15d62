import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Random } from "../../../kernels/random.ts";
import { dataLayer } from "../../../test/golden/training/masks/read.ts";
import { DataError } from "./error.ts";
import { lengthGrouped, modalityGrouped } from "./grouping.ts";
import { permutation, sampleOrders, Sampler } from "./sampler.ts";

describe("grouping", () => {
  it.each(dataLayer.sampler.cases)("$name, with the reference's permutations", (golden) => {
    const { all, with_image, text_only, megabatches } = golden.given_permutations;
    const given = all ? [all] : [with_image!, text_only!, megabatches!];
    const permute = (count: number) => {
      const next = given.shift()!;
      expect(next).toHaveLength(count);
      return next;
    };
    const groups = modalityGrouped(golden.lengths, golden, permute);
    expect(groups.flat()).toEqual(golden.indices);
    if (golden.megabatches) expect(groups).toEqual(golden.megabatches);
    expect(given).toEqual([]);
  });

  it("groups by length alone", () => {
    const inOrder = (count: number) => Array.from({ length: count }, (_, i) => i);
    expect(lengthGrouped([3, -9, 5, 1, -2], { batch: 2, world: 2 }, inOrder)).toEqual([[1, 3, 2, 0], [4]]);
  });

  it("has the reference's properties (property)", () => {
    const length = fc.oneof(fc.integer({ min: 1, max: 90 }), fc.integer({ min: -90, max: -1 }));
    const settings = fc.record({ batch: fc.integer({ min: 1, max: 4 }), world: fc.integer({ min: 1, max: 4 }) });
    fc.assert(
      fc.property(fc.array(length, { minLength: 1, maxLength: 60 }), settings, fc.nat(), (lengths, shape, seed) => {
        const random = new Random(seed);
        const groups = modalityGrouped(lengths, shape, (count) => permutation(count, random));
        expect(groups.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
        for (const group of groups.slice(0, -1)) {
          expect(group).toHaveLength(shape.batch * shape.world);
          expect(new Set(group.map((i) => lengths[i] > 0)).size).toBe(1);
        }
      }),
      { numRuns: 200, seed: 2 },
    );
  });
});

describe("permutation", () => {
  it("is one, and every element comes to every place", () => {
    const random = new Random(5);
    const seen = Array.from({ length: 4 }, () => new Set<number>());
    for (let run = 0; run < 100; run++) {
      const order = permutation(4, random);
      expect([...order].sort()).toEqual([0, 1, 2, 3]);
      order.forEach((value, place) => seen[place].add(value));
    }
    expect(seen.map(({ size }) => size)).toEqual([4, 4, 4, 4]);
    expect([...permutation(0, random)]).toEqual([]);
  });
});

const lengths = Array.from({ length: 23 }, (_, i) => (i % 3 === 0 ? -1 : 1) * (5 + ((i * 7) % 19)));

function take(sampler: Sampler, count: number): number[][] {
  return Array.from({ length: count }, () => sampler.next());
}

describe("Sampler", () => {
  it.each(sampleOrders)("%s: every sample once an epoch, the last batch smaller", (order) => {
    const sampler = new Sampler(23, { batch: 4, accumulate: 2, order, lengths, seed: 3 });
    expect(sampler.batchesPerEpoch).toBe(6);
    for (let epoch = 0; epoch < 3; epoch++) {
      const batches = take(sampler, 6);
      expect(batches.map(({ length }) => length)).toEqual([4, 4, 4, 4, 4, 3]);
      expect(batches.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
    }
  });

  it.each(sampleOrders)("%s: resumes anywhere with the same batches", (order) => {
    const options = { batch: 4, accumulate: 2, order, lengths } as const;
    const whole = new Sampler(23, { ...options, seed: 11 });
    for (let step = 0; step < 14; step++) {
      const kept = JSON.parse(JSON.stringify(whole.state)) as typeof whole.state;
      const expected = whole.next();
      expect(new Sampler(23, { ...options, state: kept }).next()).toEqual(expected);
    }
  });

  it("gives other orders for other seeds and epochs, and the file's order if asked", () => {
    const first = (seed: number) => new Sampler(50, { batch: 50, seed });
    const orders = [first(0), first(1), first(-1)].flatMap((sampler) => take(sampler, 2).map(String));
    expect(new Set(orders).size).toBe(6);
    expect(take(new Sampler(5, { batch: 2, order: "file" }), 4)).toEqual([[0, 1], [2, 3], [4], [0, 1]]);
  });

  it("keeps the order that a seed gives", () => {
    expect(take(new Sampler(6, { batch: 6, seed: 7 }), 2)).toEqual([[1, 2, 3, 5, 4, 0], [5, 1, 4, 2, 0, 3]]);
  });

  it.each([
    [0, { batch: 1 }, "sampler: count: expected a whole number of at least 1, got 0"],
    [3, { batch: 1.5 }, "sampler: batch: expected a whole number of at least 1, got 1.5"],
    [3, { batch: 1, order: "random" }, 'sampler: order: expected one of shuffle, length, modality, file, got "random"'],
    [3, { batch: 1, order: "length", lengths: [1] }, "lengths: expected one for each of 3 samples, got 1 lengths"],
    [3, { batch: 1, seed: 0.5 }, "sampler: seed: expected a whole number, got 0.5"],
    [3, { batch: 1, seed: 1, state: { seed: 2, epoch: 0, position: 0 } }, "seed: expected the state's seed 2, got 1"],
    [3, { batch: 1, state: { seed: 2, epoch: 0, position: 4 } }, "sampler: state.position: expected at most 3, got 4"],
  ])("refuses %d samples with %j", (count, options, message) => {
    const act = () => new Sampler(count, options as never);
    expect(act).toThrow(DataError);
    expect(act).toThrow(message);
  });
});
