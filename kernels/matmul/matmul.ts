import { family, kernel, type Params } from "../kernel.ts";
import quadCode from "./matmul-nt-quad.wgsl?raw";
import subgroupCode from "./matmul-nt-subgroup.wgsl?raw";
import tileCode from "./matmul-nt-tile.wgsl?raw";
import wideCode from "./matmul-nt-wide.wgsl?raw";
import { type MatmulParam, matmulNTReference } from "./matmul.reference.ts";
import matvecSubgroupCode from "./matvec-subgroup.wgsl?raw";
import matvecCode from "./matvec.wgsl?raw";

const bindings = {
  read: ["x", "weight", "bias"],
  write: ["y"],
  params: ["rows", "columns", "inner", "xStride", "yStride", "yOffset", "biased"],
} as const;

/** Largest number of rows that the matrix-vector variants take. */
export const matvecRows = 8;

/** Whether rows of x and of the weight begin at a multiple of 4 elements. */
const aligned = ({ inner, xStride }: Params<MatmulParam>): boolean => inner % 4 === 0 && xStride % 4 === 0;

/** 64 x 64 tiles in workgroup memory. Any sizes. */
export const matmulNTTile = kernel({
  name: "matmul-nt-tile",
  code: tileCode,
  ...bindings,
  needs: [],
  groups: ({ rows, columns }) => Math.ceil(rows / 64) * Math.ceil(columns / 64),
});

/** 128 x 64 tiles in workgroup memory, 8 x 8 elements per invocation: for discrete GPUs. */
export const matmulNTWide = kernel({
  name: "matmul-nt-wide",
  code: wideCode,
  ...bindings,
  needs: [],
  accepts: aligned,
  groups: ({ rows, columns }) => Math.ceil(rows / 128) * Math.ceil(columns / 64),
});

/** Tiles of the two subgroup variants: 16 rows and 64 columns each. */
const subgroupTiles = ({ rows, columns }: Params<MatmulParam>): number =>
  Math.ceil(rows / 16) * Math.ceil(columns / 64);

/** Tiles in registers, rows of x handed round by broadcasts from 8 lanes: for software adapters. */
export const matmulNTSubgroup = kernel({
  name: "matmul-nt-subgroup",
  code: subgroupCode,
  ...bindings,
  needs: ["subgroups"],
  accepts: (params, { subgroupSize }) => subgroupSize.min >= 8 && aligned(params),
  groups: subgroupTiles,
});

/** The same with 4 lanes: for software adapters with subgroups of 4 (SwiftShader). */
export const matmulNTQuad = kernel({
  name: "matmul-nt-quad",
  code: quadCode,
  ...bindings,
  needs: ["subgroups"],
  accepts: (params, { subgroupSize }) => subgroupSize.min >= 4 && aligned(params),
  groups: subgroupTiles,
});

/** Few rows, 4 columns per workgroup. */
export const matvec = kernel({
  name: "matvec",
  code: matvecCode,
  ...bindings,
  needs: [],
  accepts: (params) => params.rows <= matvecRows && aligned(params),
  groups: ({ rows, columns }) => rows * Math.ceil(columns / 4),
});

/** Few rows, 4 columns per subgroup. */
export const matvecSubgroup = kernel({
  name: "matvec-subgroup",
  code: matvecSubgroupCode,
  ...bindings,
  needs: ["subgroups"],
  accepts: (params) => params.rows <= matvecRows && aligned(params),
  // Enough workgroups for the largest subgroups (4 columns each); with smaller ones some find nothing left to do.
  groups: ({ rows, columns }, { subgroupSize }) => rows * Math.ceil(columns / 4 / (64 / subgroupSize.max)),
});

/**
 * Matrix product with a transposed weight, as a linear layer stores it:
 * y[m, yOffset + n] = sum_k x[m, k] · weight[n, k] + bias[yOffset + n], for m < rows, n < columns, k < inner.
 *
 * Row m of x begins at element m · xStride, row m of y at m · yStride; elements of y outside the block keep their
 * values. The weight is [columns, inner] without gaps; `bias` is read only if `biased` is 1.
 */
export const matmulNT = family({
  name: "matmul-nt",
  weight: "weight",
  variants: [matmulNTTile, matmulNTWide, matmulNTSubgroup, matmulNTQuad, matvec, matvecSubgroup],
  reference: matmulNTReference,
  cost: ({ rows, columns, inner }) => ({
    flops: 2 * rows * columns * inner,
    bytes: 4 * (rows * inner + columns * inner + rows * columns),
  }),
});
