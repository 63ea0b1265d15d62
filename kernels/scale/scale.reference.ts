import type { HostArrays, Params } from "../kernel.ts";

/** y[i] = factor · x[i]. */
export function scaleReference({ x }: HostArrays<"x">, { size, factor }: Params<"size" | "factor">): HostArrays<"y"> {
  return { y: Float32Array.from({ length: size }, (_, i) => factor * x[i]) };
}
