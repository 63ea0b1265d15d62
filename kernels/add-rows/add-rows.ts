import { family, kernel } from "../kernel.ts";
import { addRowsReference } from "./add-rows.reference.ts";
import code from "./add-rows.wgsl?raw";
import vec4Code from "./add-rows-vec4.wgsl?raw";

const bindings = {
  read: ["x"],
  write: ["y"],
  params: ["rows", "width", "xStride", "xOffset", "xRow", "yStride", "yOffset", "yRow", "scale"],
} as const;

/**
 * Adds `scale` times a block [rows, width] of a matrix x to one of a matrix y: x at row xRow and column xOffset, rows
 * xStride apart; y likewise. Elements of y outside the block keep their values. It gathers gradients of values that are
 * used more than once.
 */
export const addRows = family({
  name: "add-rows",
  variants: [
    kernel({
      name: "add-rows",
      code,
      ...bindings,
      needs: [],
      groups: ({ rows, width }) => Math.ceil((rows * width) / 64),
    }),
    kernel({
      name: "add-rows-vec4",
      code: vec4Code,
      ...bindings,
      needs: [],
      groups: ({ rows, width }) => Math.ceil((rows * width) / 256),
      accepts: ({ width, xStride, xOffset, yStride, yOffset }) =>
        [width, xStride, xOffset, yStride, yOffset].every((size) => size % 4 === 0),
    }),
  ],
  reference: addRowsReference,
  cost: ({ rows, width }) => ({ flops: 2 * rows * width, bytes: 12 * rows * width }),
});
