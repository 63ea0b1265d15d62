import { type Case, makeCase } from "../cases.ts";

/**
 * The smallest head, odd strides, two sequences, q and k of Qwen2-0.5B out of one fused product (k into a cache), k
 * of Vicuna-7B, and gradients on their way back into a fused product.
 */
export const rotaryCases: Case[] = [
  {
    rows: 1, heads: 1, headSize: 2,
    xStride: 2, xOffset: 0, yStride: 2, yOffset: 0, yRow: 0,
    position: 0, sequence: 1, inverse: 0,
  },
  {
    rows: 7, heads: 3, headSize: 10,
    xStride: 37, xOffset: 5, yStride: 41, yOffset: 7, yRow: 2,
    position: 3, sequence: 7, inverse: 0,
  },
  {
    rows: 10, heads: 2, headSize: 8,
    xStride: 16, xOffset: 0, yStride: 16, yOffset: 0, yRow: 0,
    position: 0, sequence: 5, inverse: 0,
  },
  {
    rows: 5, heads: 14, headSize: 64,
    xStride: 1152, xOffset: 0, yStride: 896, yOffset: 0, yRow: 0,
    position: 11, sequence: 5, inverse: 0,
  },
  {
    rows: 5, heads: 2, headSize: 64,
    xStride: 1152, xOffset: 896, yStride: 128, yOffset: 0, yRow: 11,
    position: 11, sequence: 5, inverse: 0,
  },
  {
    rows: 1, heads: 32, headSize: 128,
    xStride: 12288, xOffset: 4096, yStride: 4096, yOffset: 0, yRow: 40,
    position: 40, sequence: 1, inverse: 0,
  },
  {
    rows: 7, heads: 3, headSize: 10,
    xStride: 41, xOffset: 7, yStride: 37, yOffset: 5, yRow: 0,
    position: 3, sequence: 7, inverse: 1,
  },
  {
    rows: 10, heads: 14, headSize: 64,
    xStride: 896, xOffset: 0, yStride: 1152, yOffset: 0, yRow: 0,
    position: 0, sequence: 5, inverse: 1,
  },
].map((params) =>
  makeCase(params, 2, (random) => {
    const { rows, headSize, xStride, yStride, yRow, position, sequence } = params;
    const half = headSize / 2;
    const table = Float32Array.from({ length: (position + sequence) * headSize }, (_, i) => {
      const angle = Math.floor(i / headSize) * 10000 ** (-(i % half) / half);
      return i % headSize < half ? Math.cos(angle) : Math.sin(angle);
    });
    return { x: random.normal(rows * xStride), table, y: random.normal((yRow + rows) * yStride) };
  }),
);
