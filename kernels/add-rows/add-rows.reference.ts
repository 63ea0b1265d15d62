import type { HostArrays, Params } from "../kernel.ts";
import { startingFrom } from "../output.ts";

/** What `add-rows` is told: sizes, strides and offsets in elements, `xRow` and `yRow` in rows. */
export type AddRowsParam =
  | "rows"
  | "width"
  | "xStride"
  | "xOffset"
  | "xRow"
  | "yStride"
  | "yOffset"
  | "yRow"
  | "scale";

/** Adds scale times the block [rows, width] at (xRow, xOffset) of x to that at (yRow, yOffset) of y. */
export function addRowsReference(
  { x, y: before }: HostArrays<"x"> & Partial<HostArrays<"y">>,
  { rows, width, xStride, xOffset, xRow, yStride, yOffset, yRow, scale }: Params<AddRowsParam>,
): HostArrays<"y"> {
  const y = startingFrom(before, (yRow + rows) * yStride);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < width; c++) {
      y[(yRow + r) * yStride + yOffset + c] += scale * x[(xRow + r) * xStride + xOffset + c];
    }
  }
  return { y };
}
