import { type Case, makeCase } from "../cases.ts";

/** One element, primes, part of a longer buffer, and the size of a weight matrix. */
export const fillCases: Case[] = [
  { size: 1, value: 1.5, length: 1 },
  { size: 131, value: 0, length: 151 },
  { size: 68, value: -0.1, length: 70 },
  { size: 896 * 128, value: 1, length: 896 * 128 },
].map(({ length, ...params }) =>
  makeCase(params, 1, (random) => ({ y: random.normal(length) }), { note: `of ${length}` }),
);
