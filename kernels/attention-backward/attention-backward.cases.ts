import { type AttentionShape, attentionLayout } from "../attention/attention.cases.ts";
import { attentionReference } from "../attention/attention.reference.ts";
import { type Case, makeCase } from "../cases.ts";

const shapes: AttentionShape[] = [
  { note: "one key", queries: 1, keys: 1, heads: 1, headSize: 8 },
  { note: "two tokens", batch: 2, queries: 2, keys: 2, heads: 2, headSize: 4, position: 0 },
  { note: "odd head size", batch: 2, queries: 5, keys: 7, heads: 3, headSize: 13 },
  { note: "odd strides", queries: 3, keys: 37, heads: 2, headSize: 5, position: 34, gap: 3 },
  { note: "batch of fused rows", batch: 3, queries: 35, keys: 35, heads: 2, headSize: 8, fused: true },
  { note: "causal", batch: 2, queries: 67, keys: 67, heads: 2, kvHeads: 1, headSize: 32, position: 0 },
  { note: "cross lengths", batch: 2, queries: 41, keys: 70, heads: 2, headSize: 20 },
  { note: "chunk after a cache", queries: 41, keys: 130, heads: 4, kvHeads: 2, headSize: 64, position: 89, spare: 9 },
  { note: "window", queries: 70, keys: 100, heads: 2, headSize: 12, position: 30, window: 17 },
  { note: "window of one", queries: 33, keys: 50, heads: 1, headSize: 8, position: 17, window: 1 },
  { note: "window of fused rows", queries: 70, keys: 70, heads: 2, headSize: 12, position: 0, window: 33, fused: true },
  { note: "keys that no query sees", queries: 5, keys: 90, heads: 2, headSize: 16, position: 3 },
  { note: "SigLIP head size", queries: 31, keys: 61, heads: 2, headSize: 72 },
  { note: "seven heads to one", queries: 37, keys: 37, heads: 14, kvHeads: 2, headSize: 16, position: 0 },
  { note: "uneven groups", queries: 9, keys: 9, heads: 5, kvHeads: 2, headSize: 8, position: 0 },
  { note: "largest head", queries: 3, keys: 20, heads: 1, headSize: 256, position: 17 },
  { note: "CLIP-L at 336", queries: 577, keys: 577, heads: 16, headSize: 64, fused: true, long: true },
  { note: "SmolLM2-135M", queries: 300, keys: 300, heads: 9, kvHeads: 3, headSize: 64, position: 0, long: true },
];

/**
 * Full, causal, windowed and grouped attention among tiny sizes, primes and tile edges. lse is that of the forward
 * pass, so that the exponentials are probabilities; delta is any number, for with the right one a query that sees a
 * single key has a gradient of nothing but rounding.
 */
const casesOf = (reduction: (shape: AttentionShape) => number): Case[] =>
  shapes.map((shape) => {
    const { params, lengths } = attentionLayout(shape);
    return makeCase(params, reduction(shape), (random) => {
      const q = random.normal(lengths.q);
      const k = random.normal(lengths.kv);
      const v = random.normal(lengths.kv);
      const { y, lse } = attentionReference({ q, k, v }, params);
      return { q, k, v, dy: random.normal(y.length), lse, delta: random.normal(lse.length) };
    }, { note: shape.note, long: shape.long });
  });

/** A sum over the head's columns inside a sum over keys. */
export const attentionBackwardQCases = casesOf(({ headSize, keys }) => headSize + keys);

/** A sum over the head's columns inside a sum over the queries of a group of heads. */
export const attentionBackwardKVCases = casesOf(
  ({ headSize, queries, heads, kvHeads = heads }) => headSize + queries * Math.ceil(heads / kvHeads),
);

/** One element, primes, and heads of CLIP-L and SigLIP. */
export const attentionDeltaCases: Case[] = [
  { batch: 1, queries: 1, heads: 1, headSize: 1 },
  { batch: 2, queries: 7, heads: 3, headSize: 13 },
  { batch: 3, queries: 5, heads: 2, headSize: 72 },
  { batch: 1, queries: 577, heads: 16, headSize: 64 },
].map((params) => {
  const length = params.batch * params.queries * params.heads * params.headSize;
  return makeCase(params, params.headSize, (random) => ({ dy: random.normal(length), y: random.normal(length) }));
});
