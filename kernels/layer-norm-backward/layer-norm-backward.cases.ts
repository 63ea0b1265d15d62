import { type Case, makeCase } from "../cases.ts";
import { rowStatisticsReference } from "../row-statistics/row-statistics.reference.ts";

const shapes = [
  { rows: 1, width: 1, epsilon: 1e-5, mean: 0 },
  { rows: 3, width: 37, epsilon: 1e-6, mean: 0 },
  { rows: 5, width: 896, epsilon: 1e-5, mean: 100 },
  { rows: 37, width: 68, epsilon: 1e-5, mean: 0 },
  { rows: 7, width: 1024, epsilon: 1e-5, mean: 0 },
  { rows: 11, width: 1152, epsilon: 1e-6, mean: 1 },
];

/** Sizes of CLIP-L and SigLIP among single elements and primes; one has a mean far larger than the deviation. */
export const layerNormBackwardCases: Case[] = shapes.map(({ mean, ...params }) =>
  makeCase(
    params,
    params.width,
    (random) => ({
      x: random.normal(params.rows * params.width, mean),
      weight: random.normal(params.width, 1, 0.2),
      dy: random.normal(params.rows * params.width),
    }),
    { note: `mean=${mean}` },
  ),
);

/** The same rows, and the row count of a CLIP-L picture, with their statistics. */
export const layerNormBackwardWeightCases: Case[] = [
  ...shapes,
  { rows: 577, width: 67, epsilon: 1e-5, mean: 0 },
].map(({ rows, width, epsilon, mean }) =>
  makeCase(
    { rows, width },
    rows,
    (random) => {
      const x = random.normal(rows * width, mean);
      return { x, dy: random.normal(rows * width), ...rowStatisticsReference({ x }, { rows, width, epsilon }) };
    },
    { note: `mean=${mean}` },
  ),
);
