import type { HostArrays, Params } from "../kernel.ts";
import { startingFrom } from "../output.ts";

/** The parameters of `matmul-tn`, see matmul-tn.ts. */
export type MatmulTNParam =
  | "rows" | "columns" | "width" | "xStride" | "xOffset" | "zStride" | "yStride" | "yRow" | "accumulate";

/** y[yRow + n, k] = sum_m x[m, xOffset + n] · z[m, k], added to what y held if `accumulate`. */
export function matmulTNReference(
  { x, z, y: before }: HostArrays<"x" | "z"> & Partial<HostArrays<"y">>,
  { rows, columns, width, xStride, xOffset, zStride, yStride, yRow, accumulate }: Params<MatmulTNParam>,
): HostArrays<"y"> {
  const y = startingFrom(before, (yRow + columns) * yStride);
  for (let n = 0; n < columns; n++) {
    const sums = new Float64Array(width);
    for (let m = 0; m < rows; m++) {
      const factor = x[m * xStride + xOffset + n];
      for (let k = 0; k < width; k++) sums[k] += factor * z[m * zStride + k];
    }
    const start = (yRow + n) * yStride;
    for (let k = 0; k < width; k++) y[start + k] = sums[k] + (accumulate ? y[start + k] : 0);
  }
  return { y };
}
