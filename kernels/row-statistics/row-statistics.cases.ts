import { type Case, makeCase } from "../cases.ts";

/** Widths of CLIP-L and SigLIP among single elements and primes; one has a mean far larger than the deviation. */
export const rowStatisticsCases: Case[] = [
  { rows: 1, width: 1, epsilon: 1e-5, mean: 0 },
  { rows: 3, width: 37, epsilon: 1e-6, mean: 1 },
  { rows: 5, width: 896, epsilon: 1e-5, mean: 100 },
  { rows: 67, width: 1024, epsilon: 1e-5, mean: 1 },
  { rows: 11, width: 1152, epsilon: 1e-6, mean: 1 },
].map(({ mean, ...params }) =>
  makeCase(params, params.width, (random) => ({ x: random.normal(params.rows * params.width, mean) }), {
    note: `mean=${mean}`,
  }),
);
