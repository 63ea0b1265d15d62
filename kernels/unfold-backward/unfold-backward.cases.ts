import { type Case, makeCase } from "../cases.ts";

/** One pixel, pixels left over on both sides, SigLIP (384 = 27 · 14 + 6) and CLIP-L (336 = 24 · 14). */
export const unfoldBackwardCases: Case[] = [
  { batch: 1, channels: 1, height: 1, width: 1, patchSize: 1, gridHeight: 1, gridWidth: 1 },
  { batch: 2, channels: 3, height: 11, width: 17, patchSize: 3, gridHeight: 3, gridWidth: 5 },
  { batch: 1, channels: 3, height: 28, width: 42, patchSize: 14, gridHeight: 2, gridWidth: 3 },
  { batch: 1, channels: 3, height: 384, width: 384, patchSize: 14, gridHeight: 27, gridWidth: 27 },
  { batch: 2, channels: 3, height: 336, width: 336, patchSize: 14, gridHeight: 24, gridWidth: 24 },
].map((params) =>
  makeCase(
    params,
    1,
    (random) => ({
      dy: random.normal(params.batch * params.gridHeight * params.gridWidth * params.channels * params.patchSize ** 2),
    }),
    { long: params.height === 336 },
  ),
);
