import { family, kernel } from "../kernel.ts";
import { rowStatisticsReference } from "./row-statistics.reference.ts";
import code from "./row-statistics.wgsl?raw";
import rowCode from "./row-statistics-row.wgsl?raw";
import vec4Code from "./row-statistics-vec4.wgsl?raw";

/**
 * What layer normalisation knows of every row, for the gradient of its weight: x [rows, width] -> mean [rows] and
 * scale [rows], which is 1 / sqrt(variance + epsilon).
 */
export const rowStatistics = family({
  name: "row-statistics",
  variants: [
    kernel({
      name: "row-statistics",
      code,
      read: ["x"],
      write: ["mean", "scale"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => rows,
    }),
    kernel({
      name: "row-statistics-vec4",
      code: vec4Code,
      read: ["x"],
      write: ["mean", "scale"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => rows,
      accepts: ({ width }) => width % 4 === 0,
    }),
    kernel({
      name: "row-statistics-row",
      code: rowCode,
      read: ["x"],
      write: ["mean", "scale"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => Math.ceil(rows / 8),
      accepts: ({ rows, width }, { software }) => software && rows >= 16 && width % 4 === 0,
    }),
  ],
  reference: rowStatisticsReference,
  cost: ({ rows, width }) => ({ flops: 4 * rows * width, bytes: 4 * (rows * width + 2 * rows) }),
});
