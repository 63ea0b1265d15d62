import { type Case, makeCase } from "../cases.ts";

interface Shape {
  note: string;
  rows: number;
  columns: number;
  width: number;
  /** Columns of x in front of and behind the block, of z and y behind it, and rows of y in front of it. */
  xBefore?: number;
  xBehind?: number;
  zBehind?: number;
  yBehind?: number;
  yRow?: number;
  accumulate?: boolean;
  long?: boolean;
}

const shapes: Shape[] = [
  { note: "one element", rows: 1, columns: 1, width: 1 },
  { note: "one element more", rows: 1, columns: 1, width: 1, accumulate: true },
  {
    note: "primes", rows: 7, columns: 13, width: 11,
    xBefore: 3, xBehind: 2, zBehind: 1, yBehind: 5, yRow: 2, accumulate: true,
  },
  { note: "primes beyond a tile", rows: 37, columns: 67, width: 131, xBefore: 1 },
  { note: "one row", rows: 1, columns: 28, width: 36, yRow: 1 },
  { note: "one quad", rows: 4, columns: 4, width: 4 },
  {
    note: "block of a fused projection", rows: 30, columns: 64, width: 64,
    xBefore: 64, xBehind: 64, yRow: 64, accumulate: true,
  },
  {
    note: "more than a tile each way", rows: 85, columns: 132, width: 140,
    xBehind: 12, zBehind: 8, yBehind: 4, accumulate: true,
  },
  { note: "whole tiles", rows: 64, columns: 128, width: 128 },
  { note: "LoRA of rank 4", rows: 101, columns: 4, width: 896 },
  { note: "many rows", rows: 2432, columns: 20, width: 68 },
  { note: "Qwen2-0.5B value projection", rows: 19, columns: 128, width: 896, accumulate: true },
  { note: "CLIP-L projection at 336", rows: 577, columns: 1024, width: 1024, long: true },
  { note: "SmolLM2-135M MLP", rows: 2432, columns: 1536, width: 576, long: true },
];

/** Weight gradients of linear layers of CLIP-L, Qwen2-0.5B and SmolLM2 among single elements, primes and tile edges. */
export const matmulTNCases: Case[] = shapes.map((shape) => {
  const { rows, columns, width, xBefore = 0, xBehind = 0, zBehind = 0, yBehind = 0, yRow = 0 } = shape;
  const params = {
    rows, columns, width,
    xStride: xBefore + columns + xBehind, xOffset: xBefore, zStride: width + zBehind, yStride: width + yBehind, yRow,
    accumulate: shape.accumulate ? 1 : 0,
  };
  return makeCase(params, rows, (random) => ({
    x: random.normal(rows * params.xStride),
    z: random.normal(rows * params.zStride),
    y: random.normal((yRow + columns) * params.yStride),
  }), { note: shape.note, long: shape.long });
});
