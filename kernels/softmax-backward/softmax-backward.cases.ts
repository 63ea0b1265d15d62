import { type Case, makeCase } from "../cases.ts";
import { softmaxReference } from "../softmax/softmax.reference.ts";

/** Attention rows of CLIP-L and SigLIP, flat and peaked, among single elements and primes. */
export const softmaxBackwardCases: Case[] = [
  { rows: 1, width: 1, scale: 1, deviation: 1 },
  { rows: 3, width: 37, scale: 0.3, deviation: 3 },
  { rows: 67, width: 68, scale: 1, deviation: 2 },
  { rows: 13, width: 577, scale: 0.125, deviation: 8 },
  { rows: 7, width: 729, scale: 1, deviation: 5 },
  { rows: 2, width: 4096, scale: 0.5, deviation: 2 },
].map(({ deviation, ...params }) =>
  makeCase(
    params,
    params.width,
    (random) => ({
      ...softmaxReference({ x: random.normal(params.rows * params.width, 0, deviation) }, params),
      dy: random.normal(params.rows * params.width),
    }),
    { note: `deviation=${deviation}` },
  ),
);
