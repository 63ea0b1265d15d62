import type { HostArrays, Params } from "../kernel.ts";

/** y[i] = a[i] · b[i]. */
export function multiplyReference({ a, b }: HostArrays<"a" | "b">, { size }: Params<"size">): HostArrays<"y"> {
  return { y: Float32Array.from({ length: size }, (_, i) => a[i] * b[i]) };
}
