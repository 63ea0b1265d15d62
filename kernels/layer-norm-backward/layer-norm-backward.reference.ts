import type { HostArrays, Params } from "../kernel.ts";

/**
 * The gradient of layer normalisation by its input: with g = dy · weight, d = x - mean and s = 1 / sqrt(σ² + ε),
 * dx = s · (g - mean g - d s² mean(g d)), means over the columns.
 */
export function layerNormBackwardReference(
  { x, weight, dy }: HostArrays<"x" | "weight" | "dy">,
  { rows, width, epsilon }: Params<"rows" | "width" | "epsilon">,
): HostArrays<"dx"> {
  const dx = new Float32Array(rows * width);
  for (let r = 0; r < rows; r++) {
    const start = r * width;
    let mean = 0;
    for (let c = 0; c < width; c++) mean += x[start + c] / width;
    let variance = 0;
    let gradients = 0;
    let products = 0;
    for (let c = 0; c < width; c++) {
      const deviation = x[start + c] - mean;
      const gradient = dy[start + c] * weight[c];
      variance += deviation ** 2 / width;
      gradients += gradient / width;
      products += (gradient * deviation) / width;
    }
    const scale = 1 / Math.sqrt(variance + epsilon);
    for (let c = 0; c < width; c++) {
      const deviation = x[start + c] - mean;
      dx[start + c] = scale * (dy[start + c] * weight[c] - gradients - deviation * scale ** 2 * products);
    }
  }
  return { dx };
}

/** dweight[c] = sum_r dy[r, c] · (x[r, c] - mean[r]) · scale[r], dbias[c] = sum_r dy[r, c]. */
export function layerNormBackwardWeightReference(
  { x, dy, mean, scale }: HostArrays<"x" | "dy" | "mean" | "scale">,
  { rows, width }: Params<"rows" | "width">,
): HostArrays<"dweight" | "dbias"> {
  const dweight = new Float32Array(width);
  const dbias = new Float32Array(width);
  for (let c = 0; c < width; c++) {
    let products = 0;
    let sum = 0;
    for (let r = 0; r < rows; r++) {
      products += dy[r * width + c] * (x[r * width + c] - mean[r]) * scale[r];
      sum += dy[r * width + c];
    }
    dweight[c] = products;
    dbias[c] = sum;
  }
  return { dweight, dbias };
}
