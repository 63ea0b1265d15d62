import type { HostArrays, Params } from "../kernel.ts";
import { startingFrom } from "../output.ts";

/** The parameters of `adamw`, see adamw.ts. */
export type AdamWParam =
  | "offset" | "count" | "learningRate" | "beta1" | "beta2" | "share1" | "share2" | "epsilon" | "weightDecay"
  | "correction1" | "correction2" | "maxNorm";

/** One AdamW step on the elements [offset, offset + count) of parameter, m and v; the others keep their values. */
export function adamWReference(
  inputs: HostArrays<"gradient" | "norm"> & Partial<HostArrays<"parameter" | "m" | "v">>,
  params: Params<AdamWParam>,
): HostArrays<"parameter" | "m" | "v"> {
  const { offset, count, learningRate, beta1, beta2, share1, share2, epsilon, weightDecay, maxNorm } = params;
  const { correction1, correction2 } = params;
  const { gradient, norm } = inputs;
  const parameter = startingFrom(inputs.parameter, gradient.length);
  const m = startingFrom(inputs.m, gradient.length);
  const v = startingFrom(inputs.v, gradient.length);
  const clip = maxNorm > 0 ? Math.min(1, maxNorm / (norm[0] + 1e-6)) : 1;
  for (let e = offset; e < offset + count; e++) {
    const g = gradient[e] * clip;
    const first = beta1 * m[e] + share1 * g;
    const second = beta2 * v[e] + share2 * g * g;
    const step = first / correction1 / (Math.sqrt(second / correction2) + epsilon);
    parameter[e] = parameter[e] * (1 - learningRate * weightDecay) - learningRate * step;
    m[e] = first;
    v[e] = second;
  }
  return { parameter, m, v };
}
