import type { AttentionParam } from "../attention/attention.reference.ts";
import { visibleKeys } from "../attention/visible.ts";
import type { HostArrays, Params } from "../kernel.ts";

/** What both backward kernels read. */
export type AttentionBackwardInput = "q" | "k" | "v" | "dy" | "lse" | "delta";

/** delta[b, h, i] = sum_d dy[b, i, h, d] · y[b, i, h, d]. */
export function attentionDeltaReference(
  { dy, y }: HostArrays<"dy" | "y">,
  { batch, queries, heads, headSize }: Params<"batch" | "queries" | "heads" | "headSize">,
): HostArrays<"delta"> {
  const delta = new Float32Array(batch * heads * queries);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < queries; i++) {
        const start = ((b * queries + i) * heads + h) * headSize;
        let sum = 0;
        for (let d = start; d < start + headSize; d++) sum += dy[d] * y[d];
        delta[(b * heads + h) * queries + i] = sum;
      }
    }
  }
  return { delta };
}

/** dq[b, i, h] = scale · sum_j dS[i, j] · k[b, j, h'], see `backward`. */
export function attentionBackwardQReference(
  inputs: HostArrays<AttentionBackwardInput>,
  params: Params<AttentionParam>,
): HostArrays<"dq"> {
  return { dq: Float32Array.from(backward(inputs, params).dq) };
}

/** dk[b, j, h'] = scale · sum_h,i dS[i, j] · q[b, i, h], dv[b, j, h'] = sum_h,i P[i, j] · dy[b, i, h], see `backward`. */
export function attentionBackwardKVReference(
  inputs: HostArrays<AttentionBackwardInput>,
  params: Params<AttentionParam>,
): HostArrays<"dk" | "dv"> {
  const { dk, dv } = backward(inputs, params);
  return { dk: Float32Array.from(dk), dv: Float32Array.from(dv) };
}

/** All three gradients with P[i, j] = exp(scale · q · k - lse), dS[i, j] = P[i, j] · (dy · v - delta). */
function backward({ q, k, v, dy, lse, delta }: HostArrays<AttentionBackwardInput>, params: Params<AttentionParam>) {
  const { batch, queries, keys, heads, kvHeads, headSize, scale } = params;
  const dq = new Float64Array(batch * queries * heads * headSize);
  const dk = new Float64Array(batch * keys * kvHeads * headSize);
  const dv = new Float64Array(batch * keys * kvHeads * headSize);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const kvHead = Math.floor((h * kvHeads) / heads);
      for (let i = 0; i < queries; i++) {
        const row = (b * heads + h) * queries + i;
        const qAt = (b * queries + i) * params.qStride + params.qOffset + h * headSize;
        const yAt = ((b * queries + i) * heads + h) * headSize;
        const { first, last } = visibleKeys(i, params);
        for (let j = first; j < last; j++) {
          const kAt = (b * keys + j) * params.kStride + params.kOffset + kvHead * headSize;
          const vAt = (b * keys + j) * params.vStride + params.vOffset + kvHead * headSize;
          const kvAt = ((b * keys + j) * kvHeads + kvHead) * headSize;
          let score = 0;
          let slope = 0;
          for (let d = 0; d < headSize; d++) {
            score += q[qAt + d] * k[kAt + d];
            slope += dy[yAt + d] * v[vAt + d];
          }
          const weight = Math.exp(scale * score - lse[row]);
          const gradient = scale * weight * (slope - delta[row]);
          for (let d = 0; d < headSize; d++) {
            dq[yAt + d] += gradient * k[kAt + d];
            dk[kvAt + d] += gradient * q[qAt + d];
            dv[kvAt + d] += weight * dy[yAt + d];
          }
        }
      }
    }
  }
  return { dq, dk, dv };
}
