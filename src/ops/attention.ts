import {
  attention as attentionKernels,
  attentionBackwardKV,
  attentionBackwardQ,
  attentionDelta,
  attentionWeights as weightsKernels,
} from "../../kernels/index.ts";
import type { Contribution } from "../graph/graph.ts";
import { expectShape, isTensor, type Operand, Scalar, shapeText, type Tensor } from "../graph/tensor.ts";

/** Where the heads of queries, keys or values lie: columns [offset, offset + heads · headSize) of the rows of an operand. */
export interface HeadSlice {
  readonly of: Operand;
  readonly offset: number;
}

export interface AttentionOptions {
  readonly heads: number;
  /** Fewer than `heads` for grouped-query attention (Ainslie et al. 2023). */
  readonly keyValueHeads: number;
  readonly headSize: number;
  /** Independent sequences of equal length in the rows. Default 1. */
  readonly batch?: number;
  /** Queries of one sequence. */
  readonly queries: number;
  /** Keys of one sequence. */
  readonly keys: number | Scalar;
  /** Keys after a query's own position are masked. */
  readonly causal: boolean;
  /** Index of the first query among the keys. Default 0. */
  readonly position?: number | Scalar;
  /** How many of the last keys a query sees, itself included; 0 for all. */
  readonly window?: number;
}

/**
 * softmax(q kᵀ / √h + mask) v for every head.
 *
 * q rows [B·Q, ·] or [B, Q, ·], k and v rows [B·K, ·] -> q's shape with H·h columns. Vaswani et al. 2017; computed with an online softmax
 * (Milakov & Gimelshein 2018), so the scores are never stored.
 */
export function attention(q: HeadSlice & { readonly of: Tensor }, k: HeadSlice, v: HeadSlice, options: AttentionOptions): Tensor {
  const { graph } = q.of;
  const params = attentionParams("attention", q, k, options);
  const batch = options.batch ?? 1;
  const y = graph.value([...q.of.shape.slice(0, -1), options.heads * options.headSize]);
  const lse = graph.value([batch, options.heads, options.queries]);
  graph.record({
    op: "attention",
    inputs: [q.of, k.of, v.of],
    outputs: [y, lse],
    calls: [
      {
        family: attentionKernels,
        read: { q: q.of, k: k.of, v: v.of },
        write: { y, lse },
        params: { ...params, vStride: v.of.shape.at(-1)!, vOffset: v.offset },
      },
    ],
    backward: (dy) => attentionBackward(q, k, v, y, lse, dy, options),
  });
  return y;
}

/**
 * Recomputes the probabilities from the saved log-sum-exp, twice: once a query at a time, once a key at a time.
 * Dao et al. 2022, "FlashAttention", appendix B.
 */
function attentionBackward(
  q: HeadSlice & { readonly of: Tensor },
  k: HeadSlice,
  v: HeadSlice,
  y: Tensor,
  lse: Tensor,
  dy: Tensor,
  options: AttentionOptions,
): Contribution[] {
  const { graph } = q.of;
  const { heads, keyValueHeads, headSize, queries, keys, batch = 1 } = options;
  expectShape(isTensor(k.of) && isTensor(v.of) && !(keys instanceof Scalar), () => "attention: a cached sequence has no gradients; trace it without a cache");
  const params = { ...attentionParams("attention", q, k, options), vStride: v.of.width, vOffset: v.offset };
  const delta = graph.value([batch, heads, queries]);
  const dq = graph.value([batch * queries, heads * headSize]);
  const [dk, dv] = [graph.value([batch * keys, keyValueHeads * headSize]), graph.value([batch * keys, keyValueHeads * headSize])];
  graph.record({
    op: "attentionDelta",
    inputs: [dy, y],
    outputs: [delta],
    calls: [{ family: attentionDelta, read: { dy, y }, write: { delta }, params: { batch, queries, heads, headSize } }],
  });
  const read = { q: q.of, k: k.of, v: v.of, dy, lse, delta };
  const inputs = [q.of, k.of, v.of, dy, lse, delta];
  graph.record({ op: "attentionBackwardQ", inputs, outputs: [dq], calls: [{ family: attentionBackwardQ, read, write: { dq }, params }] });
  graph.record({ op: "attentionBackwardKV", inputs, outputs: [dk, dv], calls: [{ family: attentionBackwardKV, read, write: { dk, dv }, params }] });
  return [
    { to: q.of, value: dq, column: q.offset },
    { to: k.of, value: dk, column: k.offset },
    { to: v.of, value: dv, column: v.offset },
  ];
}

/**
 * The probabilities of `attention`, for inspection: softmax(q kᵀ / √h + mask), [H, Q, K] or [B, H, Q, K] for a batch.
 * `attention` itself never forms them; this operation costs nothing unless its value is watched.
 */
export function attentionWeights(q: HeadSlice & { readonly of: Tensor }, k: HeadSlice, options: AttentionOptions & { readonly keys: number }): Tensor {
  const { graph } = q.of;
  const shape = [options.heads, options.queries, options.keys];
  const p = graph.value(options.batch === undefined ? shape : [options.batch, ...shape]);
  graph.record({
    op: "attentionWeights",
    inputs: [q.of, k.of],
    outputs: [p],
    calls: [{ family: weightsKernels, read: { q: q.of, k: k.of }, write: { p }, params: attentionParams("attentionWeights", q, k, options) }],
  });
  return p;
}

function attentionParams(op: string, q: HeadSlice, k: HeadSlice, options: AttentionOptions) {
  const { heads, keyValueHeads, headSize } = options;
  expectShape(heads % keyValueHeads === 0, () => `${op}: expected heads to be a multiple of the key/value heads, got ${heads} and ${keyValueHeads}`);
  const columns = q.of.shape.at(-1)!;
  expectShape(
    q.offset + heads * headSize <= columns,
    () => `${op}: ${heads} heads of ${headSize} from column ${q.offset} do not fit the queries ${shapeText(q.of.shape)}`,
  );
  return {
    batch: options.batch ?? 1,
    queries: options.queries,
    keys: options.keys,
    heads,
    kvHeads: keyValueHeads,
    headSize,
    qStride: columns,
    qOffset: q.offset,
    kStride: k.of.shape.at(-1)!,
    kOffset: k.offset,
    position: options.position ?? 0,
    causal: options.causal ? 1 : 0,
    window: options.window ?? 0,
    scale: 1 / Math.sqrt(headSize),
  };
}
