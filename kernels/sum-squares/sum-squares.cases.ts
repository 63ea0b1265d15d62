import { type Case, makeCase } from "../cases.ts";

/** Nothing, one element, primes, quads, and blocks as long as a weight of CLIP-L. */
export const sumSquaresCases: Case[] = [
  { offset: 0, count: 1, slot: 0 },
  { offset: 3, count: 0, slot: 1 },
  { offset: 5, count: 37, slot: 2 },
  { offset: 4, count: 300, slot: 3 },
  { offset: 13, count: 4099, slot: 1 },
  { offset: 1024, count: 100000, slot: 0 },
  { offset: 0, count: 1048576, slot: 5 },
].map((params) =>
  makeCase(params, params.count, (random) => ({
    x: random.normal(params.offset + params.count + 1),
    y: random.normal(params.slot + 1, 0, 1e-3),
  })),
);

/** One sum, primes, and as many sums as a model has parameters. */
export const normCases: Case[] = [{ count: 1 }, { count: 7 }, { count: 67 }, { count: 1024 }].map((params) =>
  makeCase(params, params.count, (random) => ({ x: random.normal(params.count).map((value) => value * value) })),
);
