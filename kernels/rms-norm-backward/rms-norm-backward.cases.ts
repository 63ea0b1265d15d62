import { type Case, makeCase } from "../cases.ts";
import { rmsScaleReference } from "../rms-scale/rms-scale.reference.ts";

/**
 * Sizes of Vicuna-7B and Qwen2-0.5B among single elements and primes. A row of one element has a large epsilon:
 * with a small one its gradient is all cancellation.
 */
const shapes = [
  { rows: 1, width: 1, epsilon: 1 },
  { rows: 3, width: 37, epsilon: 1e-6 },
  { rows: 37, width: 68, epsilon: 1e-5 },
  { rows: 5, width: 896, epsilon: 1e-6 },
  { rows: 2, width: 4096, epsilon: 1e-5 },
];

/** Rows with their weight and the gradient from above. */
export const rmsNormBackwardCases: Case[] = shapes.map((params) =>
  makeCase(params, params.width, (random) => ({
    x: random.normal(params.rows * params.width),
    weight: random.normal(params.width, 1, 0.2),
    dy: random.normal(params.rows * params.width),
  })),
);

/** The same rows, and the length of a long conversation, with their scales. */
export const rmsNormBackwardWeightCases: Case[] = [...shapes, { rows: 1021, width: 67, epsilon: 1e-5 }].map(
  ({ rows, width, epsilon }) =>
    makeCase({ rows, width }, rows, (random) => {
      const x = random.normal(rows * width);
      return { x, dy: random.normal(rows * width), ...rmsScaleReference({ x }, { rows, width, epsilon }) };
    }),
);
