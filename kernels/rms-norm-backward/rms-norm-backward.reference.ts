import type { HostArrays, Params } from "../kernel.ts";

/**
 * The gradient of root-mean-square normalisation by its input: with g = dy · weight and s = 1 / sqrt(mean x² + ε),
 * dx = s · (g - x s² mean(g x)), means over the columns.
 */
export function rmsNormBackwardReference(
  { x, weight, dy }: HostArrays<"x" | "weight" | "dy">,
  { rows, width, epsilon }: Params<"rows" | "width" | "epsilon">,
): HostArrays<"dx"> {
  const dx = new Float32Array(rows * width);
  for (let r = 0; r < rows; r++) {
    const start = r * width;
    let squares = 0;
    let products = 0;
    for (let c = 0; c < width; c++) {
      squares += x[start + c] ** 2 / width;
      products += (dy[start + c] * weight[c] * x[start + c]) / width;
    }
    const scale = 1 / Math.sqrt(squares + epsilon);
    for (let c = 0; c < width; c++) {
      dx[start + c] = scale * (dy[start + c] * weight[c] - x[start + c] * scale ** 2 * products);
    }
  }
  return { dx };
}

/** dweight[c] = sum_r dy[r, c] · x[r, c] · scale[r]. */
export function rmsNormBackwardWeightReference(
  { x, dy, scale }: HostArrays<"x" | "dy" | "scale">,
  { rows, width }: Params<"rows" | "width">,
): HostArrays<"dweight"> {
  const dweight = new Float32Array(width);
  for (let c = 0; c < width; c++) {
    let sum = 0;
    for (let r = 0; r < rows; r++) sum += dy[r * width + c] * x[r * width + c] * scale[r];
    dweight[c] = sum;
  }
  return { dweight };
}
