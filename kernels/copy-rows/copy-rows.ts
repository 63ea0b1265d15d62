import { family, kernel } from "../kernel.ts";
import { copyRowsReference } from "./copy-rows.reference.ts";
import code from "./copy-rows.wgsl?raw";
import vec4Code from "./copy-rows-vec4.wgsl?raw";

/**
 * Copies a block [rows, width] from x, rows xStride apart, to y, rows yStride apart: slices, concatenation and writes
 * into a cache. The rest of y is untouched.
 */
export const copyRows = family({
  name: "copy-rows",
  variants: [
    kernel({
      name: "copy-rows",
      code,
      read: ["x"],
      write: ["y"],
      params: ["rows", "width", "xStride", "xOffset", "xRow", "yStride", "yOffset", "yRow"],
      needs: [],
      groups: ({ rows, width }) => Math.ceil((rows * width) / 64),
    }),
    kernel({
      name: "copy-rows-vec4",
      code: vec4Code,
      read: ["x"],
      write: ["y"],
      params: ["rows", "width", "xStride", "xOffset", "xRow", "yStride", "yOffset", "yRow"],
      needs: [],
      groups: ({ rows, width }) => Math.ceil((rows * width) / 256),
      accepts: ({ width, xStride, xOffset, yStride, yOffset }) =>
        [width, xStride, xOffset, yStride, yOffset].every((size) => size % 4 === 0),
    }),
  ],
  reference: copyRowsReference,
  cost: ({ rows, width }) => ({ flops: 0, bytes: 8 * rows * width }),
});
