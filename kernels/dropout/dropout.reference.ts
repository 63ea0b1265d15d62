import type { HostArrays, Params } from "../kernel.ts";
import { Random } from "../random.ts";

/** y[i] = x[i] / (1 - rate) where the i-th number of `Random(seed)` is at least rate · 2³², otherwise 0. */
export function dropoutReference(
  { x }: HostArrays<"x">,
  { size, rate: share, seed }: Params<"size" | "rate" | "seed">,
): HostArrays<"y"> {
  const random = new Random(seed);
  // The kernel is told the rate as f32.
  const rate = Math.fround(share);
  const limit = Math.floor(rate * 2 ** 32);
  return { y: Float32Array.from({ length: size }, (_, i) => (random.bits() >= limit ? x[i] / (1 - rate) : 0)) };
}
