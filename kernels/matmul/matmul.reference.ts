import type { HostArrays, Params } from "../kernel.ts";

/** The parameters of `matmul-nt`, see matmul.ts. */
export type MatmulParam = "rows" | "columns" | "inner" | "xStride" | "yStride" | "yOffset" | "biased";

/** y[m, yOffset + n] = sum_k x[m, k] · weight[n, k] + bias[yOffset + n]; other columns of y are 0. */
export function matmulNTReference(
  { x, weight, bias }: HostArrays<"x" | "weight" | "bias">,
  { rows, columns, inner, xStride, yStride, yOffset, biased }: Params<MatmulParam>,
): HostArrays<"y"> {
  const y = new Float32Array(rows * yStride);
  for (let m = 0; m < rows; m++) {
    for (let n = 0; n < columns; n++) {
      let sum = biased ? bias[yOffset + n] : 0;
      for (let k = 0; k < inner; k++) sum += x[m * xStride + k] * weight[n * inner + k];
      y[m * yStride + yOffset + n] = sum;
    }
  }
  return { y };
}
