import type { HostArrays, Params } from "../kernel.ts";

/** y[r, c] = weight[c] · (x[r, c] - μ[r]) / sqrt(σ²[r] + ε) + bias[c] with the biased variance σ², row by row. */
export function layerNormReference(
  { x, weight, bias }: HostArrays<"x" | "weight" | "bias">,
  { rows, width, epsilon }: Params<"rows" | "width" | "epsilon">,
): HostArrays<"y"> {
  const y = new Float32Array(rows * width);
  for (let r = 0; r < rows; r++) {
    let mean = 0;
    for (let c = 0; c < width; c++) mean += x[r * width + c]! / width;
    let variance = 0;
    for (let c = 0; c < width; c++) variance += (x[r * width + c]! - mean) ** 2 / width;
    const scale = 1 / Math.sqrt(variance + epsilon);
    for (let c = 0; c < width; c++) y[r * width + c] = weight[c]! * (x[r * width + c]! - mean) * scale + bias[c]!;
  }
  return { y };
}
