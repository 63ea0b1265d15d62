import type { HostArrays, Params } from "../kernel.ts";
import { startingFrom } from "../output.ts";

/** y[i, d] = weight[ids[i] - first, d] where first <= ids[i] < first + count; other rows keep what y held before. */
export function embeddingReference(
  { ids, weight, y: before }: HostArrays<"ids" | "weight"> & Partial<HostArrays<"y">>,
  { rows, width, first, count }: Params<"rows" | "width" | "first" | "count">,
): HostArrays<"y"> {
  const y = startingFrom(before, rows * width);
  for (let i = 0; i < rows; i++) {
    const row = ids[i]! - first;
    if (row < 0 || row >= count) continue;
    for (let d = 0; d < width; d++) y[i * width + d] = weight[row * width + d]!;
  }
  return { y };
}
