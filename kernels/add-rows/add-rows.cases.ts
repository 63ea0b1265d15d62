import { type Case, makeCase } from "../cases.ts";

/** One element, a block inside a block, into and out of a fused q|k|v product, and whole rows. */
export const addRowsCases: Case[] = [
  { rows: 1, width: 1, xStride: 1, xOffset: 0, xRow: 0, yStride: 1, yOffset: 0, yRow: 0, scale: 1 },
  { rows: 5, width: 7, xStride: 13, xOffset: 3, xRow: 2, yStride: 11, yOffset: 4, yRow: 3, scale: -0.3 },
  { rows: 5, width: 128, xStride: 128, xOffset: 0, xRow: 11, yStride: 1152, yOffset: 1024, yRow: 0, scale: 1 },
  { rows: 3, width: 64, xStride: 192, xOffset: 128, xRow: 1, yStride: 68, yOffset: 4, yRow: 2, scale: 0.125 },
  { rows: 37, width: 1024, xStride: 1024, xOffset: 0, xRow: 1, yStride: 1024, yOffset: 0, yRow: 0, scale: 2 },
].map((params) =>
  makeCase(params, 1, (random) => ({
    x: random.normal((params.xRow + params.rows) * params.xStride),
    y: random.normal((params.yRow + params.rows) * params.yStride),
  })),
);
