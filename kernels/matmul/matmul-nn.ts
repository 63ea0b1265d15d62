import { family, kernel } from "../kernel.ts";
import tileCode from "./matmul-nn-tile.wgsl?raw";
import { matmulNNReference } from "./matmul-nn.reference.ts";

const bindings = {
  read: ["x", "weight"],
  write: ["y"],
  params: ["rows", "columns", "inner", "xStride", "xOffset", "yStride", "accumulate"],
} as const;

/** 64 x 64 tiles in workgroup memory. Any sizes. */
export const matmulNNTile = kernel({
  name: "matmul-nn-tile",
  code: tileCode,
  ...bindings,
  needs: [],
  groups: ({ rows, columns }) => Math.ceil(rows / 64) * Math.ceil(columns / 64),
});

/**
 * Matrix product with a weight as it lies: the gradient of a linear layer's input, dX = dY · W.
 * y[m, k] = sum_n x[m, xOffset + n] · weight[n, k], for m < rows, k < columns, n < inner, added to what y held if
 * `accumulate` is 1.
 *
 * Row m of x begins at element m · xStride, row m of y at m · yStride; elements of y outside the block keep their
 * values. The weight is [inner, columns] without gaps.
 */
export const matmulNN = family({
  name: "matmul-nn",
  weight: "weight",
  variants: [matmulNNTile],
  reference: matmulNNReference,
  cost: ({ rows, columns, inner, accumulate }) => ({
    flops: 2 * rows * columns * inner,
    bytes: 4 * (rows * inner + columns * inner + (1 + accumulate) * rows * columns),
  }),
});
