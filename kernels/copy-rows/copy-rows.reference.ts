import type { HostArrays, Params } from "../kernel.ts";
import { startingFrom } from "../output.ts";

/** What `copyRows` is told: widths, strides and offsets in elements, `xRow` and `yRow` in rows. */
export type CopyRowsParam = "rows" | "width" | "xStride" | "xOffset" | "xRow" | "yStride" | "yOffset" | "yRow";

/** y[(yRow + r) · yStride + yOffset + c] = x[(xRow + r) · xStride + xOffset + c]. */
export function copyRowsReference(
  { x, y: before }: HostArrays<"x"> & Partial<HostArrays<"y">>,
  { rows, width, xStride, xOffset, xRow, yStride, yOffset, yRow }: Params<CopyRowsParam>,
): HostArrays<"y"> {
  const y = startingFrom(before, (yRow + rows) * yStride);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < width; c++) {
      y[(yRow + r) * yStride + yOffset + c] = x[(xRow + r) * xStride + xOffset + c]!;
    }
  }
  return { y };
}
