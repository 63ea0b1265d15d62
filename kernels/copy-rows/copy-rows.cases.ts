import { type Case, makeCase } from "../cases.ts";

/** One element, a block inside a block, a value cache of Qwen2-0.5B and of Vicuna-7B, and whole CLIP-L rows. */
export const copyRowsCases: Case[] = [
  { rows: 1, width: 1, xStride: 1, xOffset: 0, xRow: 0, yStride: 1, yOffset: 0, yRow: 0 },
  { rows: 5, width: 7, xStride: 13, xOffset: 3, xRow: 2, yStride: 11, yOffset: 4, yRow: 3 },
  { rows: 5, width: 128, xStride: 1152, xOffset: 1024, xRow: 0, yStride: 128, yOffset: 0, yRow: 11 },
  { rows: 2, width: 4096, xStride: 12288, xOffset: 8192, xRow: 0, yStride: 4096, yOffset: 0, yRow: 5 },
  { rows: 37, width: 1024, xStride: 1024, xOffset: 0, xRow: 1, yStride: 1024, yOffset: 0, yRow: 0 },
].map((params) =>
  makeCase(params, 1, (random) => ({
    x: random.normal((params.xRow + params.rows) * params.xStride),
    y: random.normal((params.yRow + params.rows) * params.yStride),
  })),
);
