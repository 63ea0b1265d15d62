import { family, kernel } from "../kernel.ts";
import tileCode from "./matmul-tn-tile.wgsl?raw";
import { matmulTNReference } from "./matmul-tn.reference.ts";

const bindings = {
  read: ["x", "z"],
  write: ["y"],
  params: ["rows", "columns", "width", "xStride", "xOffset", "zStride", "yStride", "yRow", "accumulate"],
} as const;

/** 64 x 64 tiles in workgroup memory. Any sizes. */
export const matmulTNTile = kernel({
  name: "matmul-tn-tile",
  code: tileCode,
  ...bindings,
  needs: [],
  groups: ({ columns, width }) => Math.ceil(columns / 64) * Math.ceil(width / 64),
});

/**
 * Matrix product with a transposed left factor: the gradient of a linear layer's weight, dW = dYᵀ · X.
 * y[yRow + n, k] = sum_m x[m, xOffset + n] · z[m, k], for m < rows, n < columns, k < width, added to what y held if
 * `accumulate` is 1.
 *
 * Row m of x begins at element m · xStride, of z at m · zStride, row n of y at n · yStride; elements of y outside the
 * block keep their values.
 */
export const matmulTN = family({
  name: "matmul-tn",
  variants: [matmulTNTile],
  reference: matmulTNReference,
  cost: ({ rows, columns, width, accumulate }) => ({
    flops: 2 * rows * columns * width,
    bytes: 4 * (rows * (columns + width) + (1 + accumulate) * columns * width),
  }),
});
