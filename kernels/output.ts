import type { HostArray } from "./kernel.ts";

/** The output of a reference whose kernel writes only a part of it: what it held before, otherwise zeros. */
export function startingFrom(before: HostArray | undefined, length: number): Float32Array {
  return before ? Float32Array.from(before) : new Float32Array(length);
}
