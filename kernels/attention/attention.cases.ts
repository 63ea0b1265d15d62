import { type Case, makeCase } from "../cases.ts";
import type { Random } from "../random.ts";

/** A call of `attention`, in short. */
export interface AttentionShape {
  note: string;
  batch?: number;
  queries: number;
  keys: number;
  heads: number;
  kvHeads?: number;
  headSize: number;
  /** Index of the first query among the keys; present: causal. */
  position?: number;
  window?: number;
  /** Columns in front of q, k and v in their rows, and rows of k and v beyond the keys. */
  gap?: number;
  spare?: number;
  /** q, k and v lie side by side in one row, as a fused projection leaves them. */
  fused?: boolean;
  long?: boolean;
}

const shapes: AttentionShape[] = [
  { note: "one key", queries: 1, keys: 1, heads: 1, headSize: 8 },
  { note: "one causal query", queries: 1, keys: 1, heads: 2, headSize: 12, position: 0 },
  { note: "odd head size", batch: 2, queries: 5, keys: 7, heads: 3, headSize: 13 },
  { note: "odd strides", queries: 3, keys: 37, heads: 2, headSize: 5, position: 34, gap: 3 },
  { note: "batch of fused rows", batch: 3, queries: 35, keys: 35, heads: 2, headSize: 8, fused: true },
  { note: "causal prefill", batch: 2, queries: 67, keys: 67, heads: 2, kvHeads: 1, headSize: 32, position: 0 },
  { note: "chunk after a cache", queries: 41, keys: 130, heads: 4, kvHeads: 2, headSize: 64, position: 89, spare: 9 },
  { note: "window", queries: 70, keys: 100, heads: 2, headSize: 12, position: 30, window: 17, fused: true },
  { note: "window of one", queries: 33, keys: 50, heads: 1, headSize: 8, position: 17, window: 1 },
  { note: "keys beyond the last query", queries: 5, keys: 90, heads: 2, headSize: 16, position: 3 },
  { note: "window beyond the keys", queries: 9, keys: 40, heads: 1, headSize: 12, position: 35, window: 7 },
  { note: "SigLIP head size", queries: 31, keys: 61, heads: 2, headSize: 72 },
  { note: "Qwen2-0.5B decode", queries: 1, keys: 301, heads: 14, kvHeads: 2, headSize: 64, position: 300, spare: 20 },
  { note: "SmolLM2-135M decode", queries: 1, keys: 80, heads: 9, kvHeads: 3, headSize: 64, position: 79 },
  { note: "batched decode", batch: 3, queries: 1, keys: 29, heads: 5, kvHeads: 1, headSize: 256, position: 20, gap: 4 },
  { note: "decode of unequal groups", queries: 1, keys: 11, heads: 3, kvHeads: 2, headSize: 8, position: 10 },
  { note: "decode of four", batch: 2, queries: 4, keys: 150, heads: 2, headSize: 128, position: 146, gap: 4 },
  { note: "decode with a window", queries: 1, keys: 400, heads: 2, headSize: 72, position: 399, window: 200 },
  { note: "largest head", queries: 3, keys: 20, heads: 1, headSize: 256, position: 17 },
  { note: "CLIP-L at 336", queries: 577, keys: 577, heads: 16, headSize: 64, fused: true, long: true },
  { note: "SigLIP-SO400M at 384", queries: 729, keys: 729, heads: 16, headSize: 72, long: true },
  { note: "Vicuna-7B decode", queries: 1, keys: 2048, heads: 32, headSize: 128, position: 2047, long: true },
  { note: "Qwen2-0.5B prefill", queries: 300, keys: 300, heads: 14, kvHeads: 2, headSize: 64, position: 0, long: true },
];

/** The layout of a shape: all parameters of `attention`, and the lengths of its inputs. */
export function attentionLayout(shape: AttentionShape) {
  const { batch = 1, queries, keys, heads, kvHeads = heads, headSize, gap = 0, spare = 0 } = shape;
  const width = heads * headSize;
  const kvWidth = kvHeads * headSize;
  const fusedWidth = shape.fused ? width + 2 * kvWidth : 0;
  const qStride = fusedWidth || width + 2 * gap;
  const kStride = fusedWidth || kvWidth + gap;
  const params = {
    batch, queries, keys, heads, kvHeads, headSize,
    qStride, qOffset: shape.fused ? 0 : gap,
    kStride, kOffset: shape.fused ? width : gap,
    vStride: kStride, vOffset: shape.fused ? width + kvWidth : 0,
    position: shape.position ?? 0,
    causal: shape.position === undefined ? 0 : 1,
    window: shape.window ?? 0,
    scale: Math.fround(1 / Math.sqrt(headSize)),
  };
  return { params, lengths: { q: batch * queries * qStride, kv: (batch * keys + spare) * kStride } };
}

/** Shapes of CLIP-L, SigLIP, Vicuna-7B and Qwen2-0.5B among single keys, primes and tile edges. */
export const attentionCases: Case[] = shapes.map((shape) => {
  const { params, lengths } = attentionLayout(shape);
  const inputs = (random: Random) => ({
    q: random.normal(lengths.q),
    k: random.normal(lengths.kv),
    v: random.normal(lengths.kv),
  });
  return makeCase(params, shape.headSize + shape.keys, inputs, { note: shape.note, long: shape.long });
});

/** The same shapes for `attention-weights`, which reads no values. */
export const attentionWeightsCases: Case[] = shapes.map((shape) => {
  const { params: { vStride: _stride, vOffset: _offset, ...params }, lengths } = attentionLayout(shape);
  const inputs = (random: Random) => ({ q: random.normal(lengths.q), k: random.normal(lengths.kv) });
  return makeCase(params, shape.headSize + shape.keys, inputs, { note: shape.note, long: shape.long });
});
