import { type Case, makeCase } from "../cases.ts";

interface Shape {
  note: string;
  rows: number;
  columns: number;
  inner: number;
  /** Elements between the rows of x beyond `inner`, and columns of y before and behind the block. */
  xGap?: number;
  yBefore?: number;
  yBehind?: number;
  biased?: boolean;
  long?: boolean;
}

const shapes: Shape[] = [
  { note: "one element", rows: 1, columns: 1, inner: 1 },
  { note: "primes", rows: 7, columns: 13, inner: 11, biased: true },
  { note: "primes beyond a tile", rows: 67, columns: 131, inner: 37, xGap: 5, yBefore: 3, yBehind: 2, biased: true },
  { note: "even rows of odd pairs", rows: 5, columns: 9, inner: 6, biased: true },
  { note: "one quad", rows: 2, columns: 3, inner: 4 },
  { note: "single row", rows: 1, columns: 29, inner: 132, biased: true },
  { note: "few rows", rows: 8, columns: 70, inner: 68, xGap: 4, yBefore: 1, yBehind: 1, biased: true },
  { note: "block of a wider output", rows: 3, columns: 64, inner: 256, yBefore: 64, yBehind: 64, biased: true },
  { note: "more than a tile each way", rows: 131, columns: 141, inner: 84, xGap: 12, yBefore: 5, biased: true },
  { note: "whole tiles", rows: 128, columns: 128, inner: 64 },
  { note: "CLIP-L patch embedding", rows: 16, columns: 200, inner: 588 },
  { note: "SigLIP MLP", rows: 17, columns: 67, inner: 4304, biased: true },
  { note: "Qwen2-0.5B value projection", rows: 1, columns: 128, inner: 896, biased: true },
  { note: "Vicuna-7B decode", rows: 1, columns: 130, inner: 4096 },
  { note: "CLIP-L projection at 336", rows: 577, columns: 1024, inner: 1024, biased: true, long: true },
  { note: "SigLIP-SO400M MLP at 384", rows: 729, columns: 1152, inner: 4304, biased: true, long: true },
  { note: "quarter of the Vicuna-7B vocabulary", rows: 1, columns: 8000, inner: 4096, long: true },
];

/** Shapes of CLIP-L, SigLIP, Vicuna-7B and Qwen2-0.5B among single elements, primes and tile edges. */
export const matmulNTCases: Case[] = shapes.map((shape) => {
  const { rows, columns, inner, xGap = 0, yBefore = 0, yBehind = 0, biased = false } = shape;
  const xStride = inner + xGap;
  const params = {
    rows, columns, inner, xStride,
    yStride: yBefore + columns + yBehind, yOffset: yBefore, biased: biased ? 1 : 0,
  };
  return makeCase(params, inner, (random) => ({
    x: random.normal(rows * xStride),
    weight: random.normal(columns * inner, 0, 1 / Math.sqrt(inner)),
    // An unused bias must not be read.
    bias: biased ? random.normal(yBefore + columns) : new Float32Array([NaN]),
  }), { note: shape.note, long: shape.long });
});
