import type { HostArrays, Params } from "../kernel.ts";

/** mean[r] = mean_c x[r, c], scale[r] = 1 / sqrt(σ²[r] + ε) with the biased variance σ², row by row. */
export function rowStatisticsReference(
  { x }: HostArrays<"x">,
  { rows, width, epsilon }: Params<"rows" | "width" | "epsilon">,
): HostArrays<"mean" | "scale"> {
  const mean = new Float32Array(rows);
  const scale = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    let center = 0;
    for (let c = 0; c < width; c++) center += x[r * width + c] / width;
    let variance = 0;
    for (let c = 0; c < width; c++) variance += (x[r * width + c] - center) ** 2 / width;
    mean[r] = center;
    scale[r] = 1 / Math.sqrt(variance + epsilon);
  }
  return { mean, scale };
}
