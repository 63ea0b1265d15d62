import type { HostArrays, Params } from "../kernel.ts";

/** y[i] = x[i] + tanh(gate[0]) · z[i]. */
export function tanhGateReference({ x, z, gate }: HostArrays<"x" | "z" | "gate">, { size }: Params<"size">): HostArrays<"y"> {
  const open = Math.tanh(gate[0]);
  return { y: Float32Array.from({ length: size }, (_, i) => x[i] + open * z[i]) };
}
