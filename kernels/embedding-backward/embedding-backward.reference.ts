import type { HostArrays, Params } from "../kernel.ts";
import { startingFrom } from "../output.ts";

/** The parameters of `embedding-backward`; `rows` counts tokens. */
export type EmbeddingBackwardParam = "rows" | "width" | "first" | "count" | "accumulate";

/** y[v, d] = sum over i with ids[i] = first + v of dy[i, d] for v < count, added to what y held if `accumulate`. */
export function embeddingBackwardReference(
  { ids, dy, y: before }: HostArrays<"ids" | "dy"> & Partial<HostArrays<"y">>,
  { rows, width, first, count, accumulate }: Params<EmbeddingBackwardParam>,
): HostArrays<"y"> {
  const sums = Float64Array.from(accumulate ? startingFrom(before, count * width) : new Float32Array(count * width));
  for (let i = 0; i < rows; i++) {
    const row = ids[i] - first;
    if (row < 0 || row >= count) continue;
    for (let d = 0; d < width; d++) sums[row * width + d] += dy[i * width + d];
  }
  return { y: Float32Array.from(sums) };
}
