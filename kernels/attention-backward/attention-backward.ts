import { aligned } from "../attention/attention.ts";
import { visiblePairs } from "../attention/visible.ts";
import { family, kernel } from "../kernel.ts";
import kvSubgroupCode from "./attention-backward-kv-subgroup.wgsl?raw";
import kvCode from "./attention-backward-kv.wgsl?raw";
import qSubgroupCode from "./attention-backward-q-subgroup.wgsl?raw";
import qCode from "./attention-backward-q.wgsl?raw";
import {
  attentionBackwardKVReference, attentionBackwardQReference, attentionDeltaReference,
} from "./attention-backward.reference.ts";
import deltaVec4Code from "./attention-delta-vec4.wgsl?raw";
import deltaCode from "./attention-delta.wgsl?raw";

const deltaBindings = {
  read: ["dy", "y"],
  write: ["delta"],
  params: ["batch", "queries", "heads", "headSize"],
} as const;

const bindings = {
  read: ["q", "k", "v", "dy", "lse", "delta"],
  params: [
    "batch", "queries", "keys", "heads", "kvHeads", "headSize",
    "qStride", "qOffset", "kStride", "kOffset", "vStride", "vOffset",
    "position", "causal", "window", "scale",
  ],
} as const;

/**
 * The inner product of every head's output with its gradient, which the softmax subtracts on its way back:
 * delta[b, h, i] = sum_d dy[b, i, h, d] · y[b, i, h, d]; dy and y are dense: [batch · queries, heads · headSize].
 */
export const attentionDelta = family({
  name: "attention-delta",
  variants: [
    kernel({
      name: "attention-delta",
      code: deltaCode,
      ...deltaBindings,
      needs: [],
      groups: ({ batch, queries, heads }) => Math.ceil((batch * queries * heads) / 64),
    }),
    kernel({
      name: "attention-delta-vec4",
      code: deltaVec4Code,
      ...deltaBindings,
      needs: [],
      accepts: ({ headSize }) => headSize % 4 === 0,
      groups: ({ batch, queries, heads }) => Math.ceil((batch * queries * heads) / 64),
    }),
  ],
  reference: attentionDeltaReference,
  cost: ({ batch, queries, heads, headSize }) => ({
    flops: 2 * batch * queries * heads * headSize,
    bytes: 8 * batch * queries * heads * headSize,
  }),
});

/** 32 queries of a head per workgroup, everything through workgroup memory. Any alignment. */
export const attentionBackwardQTile = kernel({
  name: "attention-backward-q",
  code: qCode,
  ...bindings,
  write: ["dq"],
  needs: [],
  groups: ({ batch, queries, heads }) => batch * heads * Math.ceil(queries / 32),
});

/** 32 keys of a key/value head per workgroup, everything through workgroup memory. Any alignment. */
export const attentionBackwardKVTile = kernel({
  name: "attention-backward-kv",
  code: kvCode,
  ...bindings,
  write: ["dk", "dv"],
  needs: [],
  groups: ({ batch, keys, kvHeads }) => batch * kvHeads * Math.ceil(keys / 32),
});

/** 32 queries of a head per workgroup, keys and values handed round by broadcasts: for software adapters. */
export const attentionBackwardQSubgroup = kernel({
  name: "attention-backward-q-subgroup",
  code: qSubgroupCode,
  ...bindings,
  write: ["dq"],
  needs: ["subgroups"],
  accepts: (params, { subgroupSize }) => subgroupSize.min >= 4 && aligned(params),
  groups: ({ batch, queries, heads }) => batch * heads * Math.ceil(queries / 32),
});

/** 32 keys of a key/value head per workgroup, queries handed round by broadcasts: for software adapters. */
export const attentionBackwardKVSubgroup = kernel({
  name: "attention-backward-kv-subgroup",
  code: kvSubgroupCode,
  ...bindings,
  write: ["dk", "dv"],
  needs: ["subgroups"],
  accepts: (params, { subgroupSize }) => subgroupSize.min >= 4 && aligned(params),
  groups: ({ batch, keys, kvHeads }) => batch * kvHeads * Math.ceil(keys / 32),
});

/**
 * The gradient of the queries of `attention`, whose parameters it shares:
 * dq[b, i, h] = scale · sum_j dS[i, j] · k[b, j, h'] with h' = floor(h · kvHeads / heads),
 * dS[i, j] = P[i, j] · (dy[b, i, h] · v[b, j, h'] - delta[b, h, i]) and
 * P[i, j] = exp(scale · q[b, i, h] · k[b, j, h'] - lse[b, h, i]).
 *
 * `lse` is what `attention` wrote, `delta` what `attentionDelta` did. dy and dq are dense: [batch · queries, heads ·
 * headSize]. Nothing of size queries x keys is stored.
 */
export const attentionBackwardQ = family({
  name: "attention-backward-q",
  variants: [attentionBackwardQTile, attentionBackwardQSubgroup],
  reference: attentionBackwardQReference,
  cost: (params) => ({
    flops: 6 * visiblePairs(params) * params.headSize,
    bytes: 4 * params.batch * params.headSize * (3 * params.queries * params.heads + 2 * params.keys * params.kvHeads),
  }),
});

/**
 * The gradients of the keys and values of `attention`, whose parameters it shares:
 * dk[b, j, h'] = scale · sum_h,i dS[i, j] · q[b, i, h] and dv[b, j, h'] = sum_h,i P[i, j] · dy[b, i, h] over the
 * queries i and the heads h with floor(h · kvHeads / heads) = h'; P and dS as for `attentionBackwardQ`.
 *
 * dk and dv are dense: [batch · keys, kvHeads · headSize]. The order of the additions depends on the sizes alone.
 */
export const attentionBackwardKV = family({
  name: "attention-backward-kv",
  variants: [attentionBackwardKVTile, attentionBackwardKVSubgroup],
  reference: attentionBackwardKVReference,
  cost: (params) => ({
    flops: 8 * visiblePairs(params) * params.headSize,
    bytes: 4 * params.batch * params.headSize * (2 * params.queries * params.heads + 4 * params.keys * params.kvHeads),
  }),
});
