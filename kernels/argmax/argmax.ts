import { family, kernel } from "../kernel.ts";
import { argmaxReference } from "./argmax.reference.ts";
import code from "./argmax.wgsl?raw";

export { NOT_FINITE } from "./argmax.reference.ts";

/**
 * The column of the largest element of every row, the first of equals: x [rows, width] -> y [rows] (u32).
 * A row that holds a NaN, or whose largest element is not finite, gives `NOT_FINITE`.
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
