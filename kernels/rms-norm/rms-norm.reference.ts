import type { HostArrays, Params } from "../kernel.ts";

/** y[r, c] = weight[c] · x[r, c] / sqrt(mean_c x[r, c]² + ε), row by row. */
export function rmsNormReference(
  { x, weight }: HostArrays<"x" | "weight">,
  { rows, width, epsilon }: Params<"rows" | "width" | "epsilon">,
): HostArrays<"y"> {
  const y = new Float32Array(rows * width);
  for (let r = 0; r < rows; r++) {
    let squares = 0;
    for (let c = 0; c < width; c++) squares += x[r * width + c]! ** 2;
    const scale = 1 / Math.sqrt(squares / width + epsilon);
    for (let c = 0; c < width; c++) y[r * width + c] = weight[c]! * x[r * width + c]! * scale;
  }
  return { y };
}
