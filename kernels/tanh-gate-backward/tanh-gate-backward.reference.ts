import type { HostArrays, Params } from "../kernel.ts";

/** dz[i] = tanh(gate[0]) · dy[i]. */
export function tanhGateBackwardReference({ gate, dy }: HostArrays<"gate" | "dy">, { size }: Params<"size">): HostArrays<"dz"> {
  const open = Math.tanh(gate[0]);
  return { dz: Float32Array.from({ length: size }, (_, i) => open * dy[i]) };
}

/** dgate[0] = (1 - tanh² gate[0]) · sum_i dy[i] · z[i]. */
export function tanhGateBackwardGateReference(
  { z, gate, dy }: HostArrays<"z" | "gate" | "dy">,
  { size }: Params<"size">,
): HostArrays<"dgate"> {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += dy[i] * z[i];
  return { dgate: Float32Array.of(sum / Math.cosh(gate[0]) ** 2) };
}
