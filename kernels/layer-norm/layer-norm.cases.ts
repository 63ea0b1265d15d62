import { type Case, makeCase } from "../cases.ts";

/** Sizes of CLIP-L and SigLIP among single elements and primes; one has a mean far larger than the deviation. */
export const layerNormCases: Case[] = [
  { rows: 1, width: 1, epsilon: 1e-5, mean: 0 },
  { rows: 3, width: 37, epsilon: 1e-6, mean: 0 },
  { rows: 37, width: 68, epsilon: 1e-5, mean: 10 },
  { rows: 5, width: 896, epsilon: 1e-5, mean: 100 },
  { rows: 7, width: 1024, epsilon: 1e-5, mean: 0 },
  { rows: 11, width: 1152, epsilon: 1e-6, mean: 1 },
  { rows: 2, width: 4096, epsilon: 1e-5, mean: 0 },
].map(({ mean, ...params }) =>
  makeCase(
    params,
    params.width,
    (random) => ({
      x: random.normal(params.rows * params.width, mean),
      weight: random.normal(params.width, 1, 0.2),
      bias: random.normal(params.width),
    }),
    { note: `mean=${mean}` },
  ),
);
