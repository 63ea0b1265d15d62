import type { HostArrays, Params } from "../kernel.ts";
import { startingFrom } from "../output.ts";

/** y[slot] = sum of x[e]² for offset <= e < offset + count; other slots keep what they held. */
export function sumSquaresReference(
  { x, y: before }: HostArrays<"x"> & Partial<HostArrays<"y">>,
  { offset, count, slot }: Params<"offset" | "count" | "slot">,
): HostArrays<"y"> {
  const y = startingFrom(before, slot + 1);
  let sum = 0;
  for (let e = offset; e < offset + count; e++) sum += x[e] ** 2;
  y[slot] = sum;
  return { y };
}

/** y[0] = sqrt(sum of x[e] for e < count). */
export function normReference({ x }: HostArrays<"x">, { count }: Params<"count">): HostArrays<"y"> {
  let sum = 0;
  for (let e = 0; e < count; e++) sum += x[e];
  return { y: Float32Array.of(Math.sqrt(sum)) };
}
