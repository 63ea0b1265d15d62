import type { HostArrays, Params } from "../kernel.ts";
import { startingFrom } from "../output.ts";

/** The parameters of `sum-rows`, see sum-rows.ts. */
export type SumRowsParam = "rows" | "width" | "xStride" | "xOffset" | "yOffset" | "accumulate";

/** y[yOffset + c] = sum_r x[r · xStride + xOffset + c], added to what y held if `accumulate`. */
export function sumRowsReference(
  { x, y: before }: HostArrays<"x"> & Partial<HostArrays<"y">>,
  { rows, width, xStride, xOffset, yOffset, accumulate }: Params<SumRowsParam>,
): HostArrays<"y"> {
  const y = startingFrom(before, yOffset + width);
  for (let c = 0; c < width; c++) {
    let sum = accumulate ? y[yOffset + c] : 0;
    for (let r = 0; r < rows; r++) sum += x[r * xStride + xOffset + c];
    y[yOffset + c] = sum;
  }
  return { y };
}
