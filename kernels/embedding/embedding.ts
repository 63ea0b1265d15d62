import { family, kernel } from "../kernel.ts";
import { embeddingReference } from "./embedding.reference.ts";
import code from "./embedding.wgsl?raw";

/**
 * Looks rows up in a table: ids [rows] (u32), weight [count, width], which is rows [first, first + count) of the whole
 * table -> y [rows, width]. Rows of y whose ids lie outside the block are untouched.
 */
export const embedding = family({
  name: "embedding",
  weight: "weight",
  variants: [
    kernel({
      name: "embedding",
      code,
      read: ["ids", "weight"],
      write: ["y"],
      params: ["rows", "width", "first", "count"],
      needs: [],
      groups: ({ rows, width }) => Math.ceil((rows * width) / 64),
    }),
  ],
  reference: embeddingReference,
  cost: ({ rows, width }) => ({ flops: 0, bytes: 4 * rows + 8 * rows * width }),
});
