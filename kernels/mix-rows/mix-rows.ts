import { family, kernel } from "../kernel.ts";
import { mixRowsReference } from "./mix-rows.reference.ts";
import code from "./mix-rows.wgsl?raw";

/**
 * Weighted sums of rows: x [any, width], index [rows, taps] (u32, rows of x) and weight [rows, taps] ->
 * y [rows, width]. Gathering, bilinear resizing and average pooling of feature maps are tables for it.
 */
export const mixRows = family({
  name: "mix-rows",
  variants: [
    kernel({
      name: "mix-rows",
      code,
      read: ["x", "index", "weight"],
      write: ["y"],
      params: ["rows", "taps", "width"],
      needs: [],
      groups: ({ rows, width }) => Math.ceil((rows * width) / 64),
    }),
  ],
  reference: mixRowsReference,
  cost: ({ rows, taps, width }) => ({
    flops: 2 * rows * taps * width,
    bytes: 4 * (rows * width * (taps + 1) + 2 * rows * taps),
  }),
});
