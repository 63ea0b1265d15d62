import { family, kernel } from "../kernel.ts";
import { embeddingBackwardReference } from "./embedding-backward.reference.ts";
import code from "./embedding-backward.wgsl?raw";

/**
 * Gradient of `embedding` by its table: ids [rows] (u32), dy [rows, width] -> y [count, width], which is rows
 * [first, first + count) of the whole gradient; added to what y held if `accumulate` is 1. Rows of repeated ids add up,
 * in an order that depends on the ids alone.
 */
export const embeddingBackward = family({
  name: "embedding-backward",
  variants: [
    kernel({
      name: "embedding-backward",
      code,
      read: ["ids", "dy"],
      write: ["y"],
      params: ["rows", "width", "first", "count", "accumulate"],
      needs: [],
      groups: ({ width, count }) => Math.ceil(count / 64) * Math.ceil(width / 64),
    }),
  ],
  reference: embeddingBackwardReference,
  cost: ({ rows, width, count, accumulate }) => ({
    flops: rows * width,
    bytes: 4 * (rows + 3 * rows * width + (accumulate ? 0 : count * width)),
  }),
});
