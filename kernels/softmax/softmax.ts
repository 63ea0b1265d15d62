import { family, kernel } from "../kernel.ts";
import { softmaxReference } from "./softmax.reference.ts";
import code from "./softmax.wgsl?raw";

/** Softmax of every row after scaling: x [rows, width] -> y [rows, width], rows that sum to 1. */
export const softmax = family({
  name: "softmax",
  variants: [
    kernel({
      name: "softmax",
      code,
      read: ["x"],
      write: ["y"],
      params: ["rows", "width", "scale"],
      needs: [],
      groups: ({ rows }) => rows,
    }),
  ],
  reference: softmaxReference,
  cost: ({ rows, width }) => ({ flops: 6 * rows * width, bytes: 8 * rows * width }),
});
