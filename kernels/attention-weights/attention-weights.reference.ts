import { visibleKeys } from "../attention/visible.ts";
import type { HostArrays, Params } from "../kernel.ts";

/** The parameters that say where queries and keys lie and which keys a query sees. */
export type AttentionWeightsParam =
  | "batch" | "queries" | "keys" | "heads" | "kvHeads" | "headSize"
  | "qStride" | "qOffset" | "kStride" | "kOffset" | "position" | "causal" | "window" | "scale";

/** p[b, h, i, :] = softmax(scale · q[b, i, h] · k[b, :, h']) over the visible keys, 0 elsewhere. */
export function attentionWeightsReference(
  { q, k }: HostArrays<"q" | "k">,
  params: Params<AttentionWeightsParam>,
): HostArrays<"p"> {
  const { batch, queries, keys, heads, kvHeads, headSize, qStride, qOffset, kStride, kOffset, scale } = params;
  const p = new Float32Array(batch * heads * queries * keys);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const kvHead = Math.floor((h * kvHeads) / heads);
      for (let i = 0; i < queries; i++) {
        const qStart = (b * queries + i) * qStride + qOffset + h * headSize;
        const { first, last } = visibleKeys(i, params);
        const scores = Array.from({ length: last - first }, (_, n) => {
          const kStart = (b * keys + first + n) * kStride + kOffset + kvHead * headSize;
          let dot = 0;
          for (let d = 0; d < headSize; d++) dot += q[qStart + d] * k[kStart + d];
          return scale * dot;
        });
        const largest = scores.reduce((a, s) => Math.max(a, s), -Infinity);
        const sum = scores.reduce((a, s) => a + Math.exp(s - largest), 0);
        const start = ((b * heads + h) * queries + i) * keys + first;
        scores.forEach((s, n) => {
          p[start + n] = Math.exp(s - largest) / sum;
        });
      }
    }
  }
  return { p };
}
