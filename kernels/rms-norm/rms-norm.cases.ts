import { type Case, makeCase } from "../cases.ts";

/** Sizes of Vicuna-7B and Qwen2-0.5B among single elements and primes. */
export const rmsNormCases: Case[] = [
  { rows: 1, width: 1, epsilon: 1e-5 },
  { rows: 3, width: 37, epsilon: 1e-6 },
  { rows: 37, width: 68, epsilon: 1e-5 },
  { rows: 5, width: 896, epsilon: 1e-6 },
  { rows: 2, width: 4096, epsilon: 1e-5 },
].map((params) =>
  makeCase(params, params.width, (random) => ({
    x: random.normal(params.rows * params.width),
    weight: random.normal(params.width, 1, 0.2),
  })),
);
