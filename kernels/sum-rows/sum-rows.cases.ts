import { type Case, makeCase } from "../cases.ts";

/** One element, primes, blocks of wider rows, and the bias gradients of CLIP-L, SigLIP and Qwen2-0.5B. */
export const sumRowsCases: Case[] = [
  { rows: 1, width: 1, xStride: 1, xOffset: 0, yOffset: 0, accumulate: 0 },
  { rows: 1, width: 3, xStride: 7, xOffset: 2, yOffset: 1, accumulate: 1 },
  { rows: 7, width: 13, xStride: 13, xOffset: 0, yOffset: 0, accumulate: 1 },
  { rows: 37, width: 67, xStride: 101, xOffset: 5, yOffset: 3, accumulate: 0 },
  { rows: 300, width: 128, xStride: 1152, xOffset: 1024, yOffset: 1024, accumulate: 1 },
  { rows: 577, width: 1024, xStride: 1024, xOffset: 0, yOffset: 0, accumulate: 0 },
  { rows: 31, width: 4304, xStride: 4304, xOffset: 0, yOffset: 0, accumulate: 0 },
].map((params) =>
  makeCase(params, params.rows, (random) => ({
    x: random.normal(params.rows * params.xStride),
    y: random.normal(params.yOffset + params.width),
  })),
);
