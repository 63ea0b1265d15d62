import type { HostArrays, Params } from "../kernel.ts";

/** dx[r, c] = scale · y[r, c] · (dy[r, c] - sum_k y[r, k] · dy[r, k]). */
export function softmaxBackwardReference(
  { y, dy }: HostArrays<"y" | "dy">,
  { rows, width, scale }: Params<"rows" | "width" | "scale">,
): HostArrays<"dx"> {
  const dx = new Float32Array(rows * width);
  for (let r = 0; r < rows; r++) {
    const start = r * width;
    let mean = 0;
    for (let c = 0; c < width; c++) mean += y[start + c] * dy[start + c];
    for (let c = 0; c < width; c++) dx[start + c] = scale * y[start + c] * (dy[start + c] - mean);
  }
  return { dx };
}
