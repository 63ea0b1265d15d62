import { type Case, makeCase } from "../cases.ts";

/** One element, primes, whole groups, and rows of CLIP-L. */
export const multiplyCases: Case[] = [{ size: 1 }, { size: 131 }, { size: 260 }, { size: 37 * 1024 }].map((params) =>
  makeCase(params, 1, (random) => ({ a: random.normal(params.size), b: random.normal(params.size) })),
);
