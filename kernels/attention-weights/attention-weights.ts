import { family, kernel } from "../kernel.ts";
import { attentionWeightsReference } from "./attention-weights.reference.ts";
import code from "./attention-weights.wgsl?raw";

/**
 * The attention probabilities, for inspection: p[b, h, i, j] = softmax_j(scale · q[b, i, h] · k[b, j, h']), dense
 * [batch, heads, queries, keys] with 0 for the keys that query i does not see. Rows and visibility as in `attention`.
 */
export const attentionWeights = family({
  name: "attention-weights",
  variants: [
    kernel({
      name: "attention-weights",
      code,
      read: ["q", "k"],
      write: ["p"],
      params: [
        "batch", "queries", "keys", "heads", "kvHeads", "headSize",
        "qStride", "qOffset", "kStride", "kOffset", "position", "causal", "window", "scale",
      ],
      needs: [],
      groups: ({ batch, queries, heads }) => batch * queries * heads,
    }),
  ],
  reference: attentionWeightsReference,
  cost: ({ batch, queries, keys, heads, kvHeads, headSize }) => ({
    flops: 2 * batch * heads * queries * keys * headSize,
    bytes: 4 * batch * (queries * heads * headSize + keys * kvHeads * headSize + heads * queries * keys),
  }),
});
