import { type Case, makeCase } from "../cases.ts";

/** One element, primes, whole groups, and rows of CLIP-L. */
export const scaleCases: Case[] = [
  { size: 1, factor: 3 },
  { size: 131, factor: -0.3 },
  { size: 260, factor: 0 },
  { size: 37 * 1024, factor: 0.125 },
].map((params) => makeCase(params, 1, (random) => ({ x: random.normal(params.size) })));
