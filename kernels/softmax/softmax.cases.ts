import { type Case, makeCase } from "../cases.ts";

/** Attention rows of CLIP-L and SigLIP, a vocabulary, and logits that overflow unless the largest is subtracted. */
export const softmaxCases: Case[] = [
  { rows: 1, width: 1, scale: 1, deviation: 1 },
  { rows: 3, width: 37, scale: 0.3, deviation: 3 },
  { rows: 13, width: 577, scale: 0.125, deviation: 8 },
  { rows: 7, width: 729, scale: 1, deviation: 100 },
  { rows: 2, width: 4096, scale: 0.5, deviation: 2 },
  { rows: 1, width: 151936, scale: 1, deviation: 3 },
].map(({ deviation, ...params }) =>
  makeCase(params, params.width, (random) => ({ x: random.normal(params.rows * params.width, 0, deviation) }), {
    note: `deviation=${deviation}`,
  }),
);
