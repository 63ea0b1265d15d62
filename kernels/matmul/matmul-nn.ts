import { family, kernel, type Params } from "../kernel.ts";
import subgroupCode from "./matmul-nn-subgroup.wgsl?raw";
import tileCode from "./matmul-nn-tile.wgsl?raw";
import wideCode from "./matmul-nn-wide.wgsl?raw";
import { type MatmulNNParam, matmulNNReference } from "./matmul-nn.reference.ts";

const bindings = {
  read: ["x", "weight"],
  write: ["y"],
  params: ["rows", "columns", "inner", "xStride", "xOffset", "yStride", "accumulate"],
} as const;

/** Whether rows of x, y and the weight begin at a multiple of 4 elements, and end there. */
const aligned = ({ columns, inner, xStride, xOffset, yStride }: Params<MatmulNNParam>): boolean =>
  [columns, inner, xStride, xOffset, yStride].every((n) => n % 4 === 0);

/** 64 x 64 tiles in workgroup memory. Any sizes. */
export const matmulNNTile = kernel({
  name: "matmul-nn-tile",
  code: tileCode,
  ...bindings,
  needs: [],
  groups: ({ rows, columns }) => Math.ceil(rows / 64) * Math.ceil(columns / 64),
});

/** 128 x 64 tiles in workgroup memory, 8 x 8 elements per invocation: for discrete GPUs. */
export const matmulNNWide = kernel({
  name: "matmul-nn-wide",
  code: wideCode,
  ...bindings,
  needs: [],
  accepts: aligned,
  groups: ({ rows, columns }) => Math.ceil(rows / 128) * Math.ceil(columns / 64),
});

/** 16 x 64 tiles in registers, rows of x handed round by broadcasts from 4 lanes: for software adapters. */
export const matmulNNSubgroup = kernel({
  name: "matmul-nn-subgroup",
  code: subgroupCode,
  ...bindings,
  needs: ["subgroups"],
  accepts: (params, { subgroupSize }) => subgroupSize.min >= 4 && aligned(params),
  groups: ({ rows, columns }) => Math.ceil(rows / 16) * Math.ceil(columns / 64),
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
  variants: [matmulNNTile, matmulNNWide, matmulNNSubgroup],
  reference: matmulNNReference,
  cost: ({ rows, columns, inner, accumulate }) => ({
    flops: 2 * rows * columns * inner,
    bytes: 4 * (rows * inner + columns * inner + (1 + accumulate) * rows * columns),
  }),
});
