import { family, kernel } from "../kernel.ts";
import { argmaxReference } from "./argmax.reference.ts";
import code from "./argmax.wgsl?raw";

/**
 * The column of the largest element of every row, the first of equals: x [rows, width] -> y [rows] (u32).
 * A row that holds a NaN gives 0xffffffff.
 */
export const argmax = family({
  name: "argmax",
  variants: [
    kernel({
      name: "argmax",
      code,
      read: ["x"],
      write: ["y"],
      params: ["rows", "width"],
      needs: [],
      groups: ({ rows }) => rows,
    }),
  ],
  reference: argmaxReference,
  cost: ({ rows, width }) => ({ flops: rows * width, bytes: 4 * (rows * width + rows) }),
});
