import type { HostArrays, Params } from "../kernel.ts";
import { startingFrom } from "../output.ts";

/** y[i] = value for i < size; what lies behind keeps its value. */
export function fillReference(
  { y: before }: Partial<HostArrays<"y">>,
  { size, value }: Params<"size" | "value">,
): HostArrays<"y"> {
  return { y: startingFrom(before, size).fill(value, 0, size) };
}
