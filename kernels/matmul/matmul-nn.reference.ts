import type { HostArrays, Params } from "../kernel.ts";
import { startingFrom } from "../output.ts";

/** The parameters of `matmul-nn`, see matmul-nn.ts. */
export type MatmulNNParam = "rows" | "columns" | "inner" | "xStride" | "xOffset" | "yStride" | "accumulate";

/** y[m, k] = sum_n x[m, xOffset + n] · weight[n, k], added to what y held if `accumulate`. */
export function matmulNNReference(
  { x, weight, y: before }: HostArrays<"x" | "weight"> & Partial<HostArrays<"y">>,
  { rows, columns, inner, xStride, xOffset, yStride, accumulate }: Params<MatmulNNParam>,
): HostArrays<"y"> {
  const y = startingFrom(before, rows * yStride);
  for (let m = 0; m < rows; m++) {
    const sums = new Float64Array(columns);
    for (let n = 0; n < inner; n++) {
      const factor = x[m * xStride + xOffset + n];
      for (let k = 0; k < columns; k++) sums[k] += factor * weight[n * columns + k];
    }
    for (let k = 0; k < columns; k++) y[m * yStride + k] = sums[k] + (accumulate ? y[m * yStride + k] : 0);
  }
  return { y };
}
