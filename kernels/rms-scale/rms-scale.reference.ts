import type { HostArrays, Params } from "../kernel.ts";

/** scale[r] = 1 / sqrt(mean_c x[r, c]² + ε), row by row. */
export function rmsScaleReference(
  { x }: HostArrays<"x">,
  { rows, width, epsilon }: Params<"rows" | "width" | "epsilon">,
): HostArrays<"scale"> {
  const scale = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    let squares = 0;
    for (let c = 0; c < width; c++) squares += x[r * width + c] ** 2;
    scale[r] = 1 / Math.sqrt(squares / width + epsilon);
  }
  return { scale };
}
