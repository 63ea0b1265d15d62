import { family, kernel, type Params } from "../kernel.ts";
import subgroupCode from "./matmul-tn-subgroup.wgsl?raw";
import tileCode from "./matmul-tn-tile.wgsl?raw";
import wideCode from "./matmul-tn-wide.wgsl?raw";
import { type MatmulTNParam, matmulTNReference } from "./matmul-tn.reference.ts";

const bindings = {
  read: ["x", "z"],
  write: ["y"],
  params: ["rows", "columns", "width", "xStride", "xOffset", "zStride", "yStride", "yRow", "accumulate"],
} as const;

/** Whether rows of x, z and y begin at a multiple of 4 elements, and end there. */
const aligned = ({ columns, width, xStride, xOffset, zStride, yStride }: Params<MatmulTNParam>): boolean =>
  [columns, width, xStride, xOffset, zStride, yStride].every((n) => n % 4 === 0);

/** 64 x 64 tiles in workgroup memory. Any sizes. */
export const matmulTNTile = kernel({
  name: "matmul-tn-tile",
  code: tileCode,
  ...bindings,
  needs: [],
  groups: ({ columns, width }) => Math.ceil(columns / 64) * Math.ceil(width / 64),
});

/** 128 x 64 tiles in workgroup memory, 8 x 8 elements per invocation: for discrete GPUs. */
export const matmulTNWide = kernel({
  name: "matmul-tn-wide",
  code: wideCode,
  ...bindings,
  needs: [],
  accepts: aligned,
  groups: ({ columns, width }) => Math.ceil(columns / 128) * Math.ceil(width / 64),
});

/** 16 x 64 tiles in registers, rows of x handed round by broadcasts from 4 lanes: for software adapters. */
export const matmulTNSubgroup = kernel({
  name: "matmul-tn-subgroup",
  code: subgroupCode,
  ...bindings,
  needs: ["subgroups"],
  accepts: (params, { subgroupSize }) => subgroupSize.min >= 4 && aligned(params),
  groups: ({ columns, width }) => Math.ceil(columns / 16) * Math.ceil(width / 64),
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
  variants: [matmulTNTile, matmulTNWide, matmulTNSubgroup],
  reference: matmulTNReference,
  cost: ({ rows, columns, width, accumulate }) => ({
    flops: 2 * rows * columns * width,
    bytes: 4 * (rows * (columns + width) + (1 + accumulate) * columns * width),
  }),
});
