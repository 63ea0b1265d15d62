import type { HostArrays, Params } from "../kernel.ts";
import { startingFrom } from "../output.ts";

/** The parameters of `muon-momentum`, see muon.ts. */
export type MuonMomentumParam = "offset" | "count" | "momentum" | "share" | "maxNorm";

/** The parameters of `muon-update`, see muon.ts. */
export type MuonUpdateParam = "offset" | "count" | "learningRate" | "factor" | "weightDecay";

/** Moves the elements [offset, offset + count) of m, and gives u [count]; the others keep their values. */
export function muonMomentumReference(
  { gradient, norm, m: before }: HostArrays<"gradient" | "norm"> & Partial<HostArrays<"m">>,
  { offset, count, momentum, share, maxNorm }: Params<MuonMomentumParam>,
): HostArrays<"m" | "u"> {
  const m = startingFrom(before, gradient.length);
  const u = new Float32Array(count);
  const clip = maxNorm > 0 ? Math.min(1, maxNorm / (norm[0] + 1e-6)) : 1;
  for (let e = 0; e < count; e++) {
    const g = gradient[offset + e] * clip;
    const moved = momentum * m[offset + e] + share * g;
    m[offset + e] = moved;
    u[e] = momentum * moved + share * g;
  }
  return { m, u };
}

/** Moves the elements [offset, offset + count) of the parameter; the others keep their values. */
export function muonUpdateReference(
  { direction, parameter: before }: HostArrays<"direction"> & Partial<HostArrays<"parameter">>,
  { offset, count, learningRate, factor, weightDecay }: Params<MuonUpdateParam>,
): HostArrays<"parameter"> {
  const parameter = startingFrom(before, offset + count);
  for (let e = 0; e < count; e++) {
    const decayed = parameter[offset + e] * (1 - learningRate * weightDecay);
    parameter[offset + e] = decayed - learningRate * factor * direction[e];
  }
  return { parameter };
}
