import { family, kernel } from "../kernel.ts";
import normCode from "./norm.wgsl?raw";
import { normReference, sumSquaresReference } from "./sum-squares.reference.ts";
import vec4Code from "./sum-squares-vec4.wgsl?raw";
import code from "./sum-squares.wgsl?raw";

/**
 * The sum of the squares of a block: y[slot] = sum of x[e]² for offset <= e < offset + count. Other elements of y keep
 * their values, so that the sums of many parameters lie side by side. The order of the additions depends on the count
 * alone.
 */
export const sumSquares = family({
  name: "sum-squares",
  variants: [
    kernel({
      name: "sum-squares",
      code,
      read: ["x"],
      write: ["y"],
      params: ["offset", "count", "slot"],
      needs: [],
      groups: () => 1,
    }),
    kernel({
      name: "sum-squares-vec4",
      code: vec4Code,
      read: ["x"],
      write: ["y"],
      params: ["offset", "count", "slot"],
      needs: [],
      accepts: ({ offset, count }) => offset % 4 === 0 && count % 4 === 0,
      groups: () => 1,
    }),
  ],
  reference: sumSquaresReference,
  cost: ({ count }) => ({ flops: 2 * count, bytes: 4 * count }),
});

/** The norm from sums of squares: x [count] -> y [1], y[0] = sqrt(sum of x). */
export const norm = family({
  name: "norm",
  variants: [
    kernel({ name: "norm", code: normCode, read: ["x"], write: ["y"], params: ["count"], needs: [], groups: () => 1 }),
  ],
  reference: normReference,
  cost: ({ count }) => ({ flops: count, bytes: 4 * count }),
});
