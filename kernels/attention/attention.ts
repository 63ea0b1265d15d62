import { family, kernel, type Params } from "../kernel.ts";
import decodeSubgroupCode from "./attention-decode-subgroup.wgsl?raw";
import decodeCode from "./attention-decode.wgsl?raw";
import flashSubgroupCode from "./attention-flash-subgroup.wgsl?raw";
import flashCode from "./attention-flash.wgsl?raw";
import { type AttentionParam, attentionReference } from "./attention.reference.ts";
import { visiblePairs } from "./visible.ts";

const bindings = {
  read: ["q", "k", "v"],
  write: ["y", "lse"],
  params: [
    "batch", "queries", "keys", "heads", "kvHeads", "headSize",
    "qStride", "qOffset", "kStride", "kOffset", "vStride", "vOffset",
    "position", "causal", "window", "scale",
  ],
} as const;

/** Largest head size in columns. */
export const largestHead = 256;

/** Whether every head of every row begins at a multiple of 16 bytes, so that it can be read as `vec4f`. */
export function aligned({ headSize, qStride, qOffset, kStride, kOffset, vStride, vOffset }: Params<AttentionParam>): boolean {
  return [headSize, qStride, qOffset, kStride, kOffset, vStride, vOffset].every((n) => n % 4 === 0);
}

/** 32 queries of a head per workgroup, everything through workgroup memory. Any alignment. */
export const attentionFlash = kernel({
  name: "attention-flash",
  code: flashCode,
  ...bindings,
  needs: [],
  groups: ({ batch, queries, heads }) => batch * heads * Math.ceil(queries / 32),
});

/** 32 queries of a head per workgroup, keys and values handed round by broadcasts: for software adapters. */
export const attentionFlashSubgroup = kernel({
  name: "attention-flash-subgroup",
  code: flashSubgroupCode,
  ...bindings,
  needs: ["subgroups"],
  accepts: (params, { subgroupSize }) => subgroupSize.min >= 4 && aligned(params),
  groups: ({ batch, queries, heads }) => batch * heads * Math.ceil(queries / 32),
});

/** One query of a head per workgroup, parallel over the keys: for decode steps. */
export const attentionDecode = kernel({
  name: "attention-decode",
  code: decodeCode,
  ...bindings,
  needs: [],
  accepts: (params) => params.queries <= 4 && aligned(params),
  groups: ({ batch, queries, heads }) => batch * heads * queries,
});

/** One query, up to 4 heads that share keys and values per subgroup: for decode steps on software adapters. */
export const attentionDecodeSubgroup = kernel({
  name: "attention-decode-subgroup",
  code: decodeSubgroupCode,
  ...bindings,
  needs: ["subgroups"],
  accepts: (params, { subgroupSize, software }) =>
    software && subgroupSize.min >= 4 && params.queries === 1 && params.heads % params.kvHeads === 0 && aligned(params),
  groups: ({ batch, heads, kvHeads }, { subgroupSize }) => {
    const subgroups = batch * kvHeads * Math.ceil(heads / kvHeads / 4);
    return Math.ceil(subgroups / (8 / Math.min(8, subgroupSize.max)));
  },
});

/**
 * Scaled dot-product attention of grouped heads with an online softmax, for h' = floor(h · kvHeads / heads):
 * y[b, i, h] = sum_j p[j] · v[b, j, h'] with p = softmax_j(scale · q[b, i, h] · k[b, j, h']);
 * lse[b, h, i] = log sum_j exp(scale · q · k), for the backward pass.
 *
 * Query row b · queries + i begins at element (b · queries + i) · qStride + qOffset of q, key row b · keys + j likewise
 * in k and v; head h follows at h · headSize. y is dense: [batch · queries, heads · headSize]. If `causal`, query i
 * sees key j iff j <= position + i and, with window > 0, j > position + i - window. Every query must see a key, and
 * headSize may be at most `largestHead`.
 */
export const attention = family({
  name: "attention",
  variants: [attentionFlash, attentionFlashSubgroup, attentionDecode, attentionDecodeSubgroup],
  reference: attentionReference,
  cost: (params) => {
    const { batch, queries, keys, heads, kvHeads, headSize } = params;
    return {
      flops: 4 * visiblePairs(params) * headSize,
      bytes: 4 * batch * headSize * (2 * queries * heads + 2 * keys * kvHeads),
    };
  },
});
