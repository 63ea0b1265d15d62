import type { HostArrays, Params } from "../kernel.ts";

/** y[i] = a[i] + b[i]. */
export function addReference({ a, b }: HostArrays<"a" | "b">, { size }: Params<"size">): HostArrays<"y"> {
  const y = new Float32Array(size);
  for (let i = 0; i < size; i++) y[i] = a[i]! + b[i]!;
  return { y };
}
