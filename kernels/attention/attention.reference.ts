import type { HostArrays, Params } from "../kernel.ts";
import { visibleKeys } from "./visible.ts";

/** The parameters of `attention`, see attention.ts. */
export type AttentionParam =
  | "batch" | "queries" | "keys" | "heads" | "kvHeads" | "headSize"
  | "qStride" | "qOffset" | "kStride" | "kOffset" | "vStride" | "vOffset"
  | "position" | "causal" | "window" | "scale";

/** y[b, i, h] = sum_j p[j] · v[b, j, h'] with p = softmax_j(scale · q[b, i, h] · k[b, j, h']), and its log-sum-exp. */
export function attentionReference(
  { q, k, v }: HostArrays<"q" | "k" | "v">,
  params: Params<AttentionParam>,
): HostArrays<"y" | "lse"> {
  const { batch, queries, keys, heads, kvHeads, headSize, scale } = params;
  const y = new Float32Array(batch * queries * heads * headSize);
  const lse = new Float32Array(batch * heads * queries);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const kvHead = Math.floor((h * kvHeads) / heads);
      const kStart = b * keys * params.kStride + params.kOffset + kvHead * headSize;
      const vStart = b * keys * params.vStride + params.vOffset + kvHead * headSize;
      for (let i = 0; i < queries; i++) {
        const qStart = (b * queries + i) * params.qStride + params.qOffset + h * headSize;
        const { first, last } = visibleKeys(i, params);
        const scores = new Float64Array(last - first);
        for (let j = first; j < last; j++) {
          let dot = 0;
          for (let d = 0; d < headSize; d++) dot += q[qStart + d] * k[kStart + j * params.kStride + d];
          scores[j - first] = scale * dot;
        }
        const largest = scores.reduce((a, s) => Math.max(a, s), -Infinity);
        const sum = scores.reduce((a, s) => a + Math.exp(s - largest), 0);
        lse[(b * heads + h) * queries + i] = largest + Math.log(sum);
        const out = new Float64Array(headSize);
        for (let j = first; j < last; j++) {
          const weight = Math.exp(scores[j - first] - largest) / sum;
          for (let d = 0; d < headSize; d++) out[d] += weight * v[vStart + j * params.vStride + d];
        }
        y.set(out, ((b * queries + i) * heads + h) * headSize);
      }
    }
  }
  return { y, lse };
}
