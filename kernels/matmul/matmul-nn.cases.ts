import { type Case, makeCase } from "../cases.ts";

interface Shape {
  note: string;
  rows: number;
  columns: number;
  inner: number;
  /** Columns of x in front of and behind the block, and of y behind it. */
  xBefore?: number;
  xBehind?: number;
  yBehind?: number;
  accumulate?: boolean;
  long?: boolean;
}

const shapes: Shape[] = [
  { note: "one element", rows: 1, columns: 1, inner: 1 },
  { note: "one element more", rows: 1, columns: 1, inner: 1, accumulate: true },
  { note: "primes", rows: 7, columns: 13, inner: 11, xBefore: 3, xBehind: 2, yBehind: 5, accumulate: true },
  { note: "primes beyond a tile", rows: 67, columns: 131, inner: 37, xBefore: 1 },
  { note: "one quad", rows: 2, columns: 4, inner: 4 },
  { note: "single row", rows: 1, columns: 132, inner: 28 },
  { note: "block of a wider gradient", rows: 3, columns: 64, inner: 256, xBefore: 64, xBehind: 64, accumulate: true },
  { note: "more than a tile each way", rows: 131, columns: 140, inner: 84, xBehind: 12, yBehind: 4, accumulate: true },
  { note: "whole tiles", rows: 128, columns: 128, inner: 64 },
  { note: "LoRA of rank 4", rows: 37, columns: 896, inner: 4, accumulate: true },
  { note: "SigLIP MLP", rows: 17, columns: 68, inner: 4304 },
  { note: "Qwen2-0.5B value projection", rows: 19, columns: 896, inner: 128 },
  { note: "CLIP-L projection at 336", rows: 577, columns: 1024, inner: 1024, long: true },
  { note: "SmolLM2-135M MLP", rows: 2432, columns: 1536, inner: 576, long: true },
];

/** Input gradients in CLIP-L, SigLIP, Qwen2-0.5B and SmolLM2 among single elements, primes and tile edges. */
export const matmulNNCases: Case[] = shapes.map((shape) => {
  const { rows, columns, inner, xBefore = 0, xBehind = 0, yBehind = 0, accumulate = false } = shape;
  const params = {
    rows, columns, inner,
    xStride: xBefore + inner + xBehind, xOffset: xBefore, yStride: columns + yBehind, accumulate: accumulate ? 1 : 0,
  };
  return makeCase(params, inner, (random) => ({
    x: random.normal(rows * params.xStride),
    weight: random.normal(inner * columns, 0, 1 / Math.sqrt(inner)),
    y: random.normal(rows * params.yStride),
  }), { note: shape.note, long: shape.long });
});
