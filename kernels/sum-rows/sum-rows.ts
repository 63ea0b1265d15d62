import { family, kernel } from "../kernel.ts";
import code from "./sum-rows.wgsl?raw";
import { sumRowsReference } from "./sum-rows.reference.ts";

/**
 * The sum over rows: the gradient of a bias. y[yOffset + c] = sum_r x[r · xStride + xOffset + c] for r < rows and
 * c < width, added to what y held if `accumulate` is 1; elements of y outside the block keep their values.
 * The order of the additions depends on the sizes alone.
 */
export const sumRows = family({
  name: "sum-rows",
  variants: [
    kernel({
      name: "sum-rows",
      code,
      read: ["x"],
      write: ["y"],
      params: ["rows", "width", "xStride", "xOffset", "yOffset", "accumulate"],
      needs: [],
      groups: ({ width }) => Math.ceil(width / 32),
    }),
  ],
  reference: sumRowsReference,
  cost: ({ rows, width }) => ({ flops: rows * width, bytes: 4 * (rows + 1) * width }),
});
