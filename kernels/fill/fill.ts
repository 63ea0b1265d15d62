import { family, kernel } from "../kernel.ts";
import { fillReference } from "./fill.reference.ts";
import code from "./fill.wgsl?raw";
import vec4Code from "./fill-vec4.wgsl?raw";

/** Sets the first `size` elements of y to `value`. */
export const fill = family({
  name: "fill",
  variants: [
    kernel({
      name: "fill",
      code,
      read: [],
      write: ["y"],
      params: ["size", "value"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 64),
    }),
    kernel({
      name: "fill-vec4",
      code: vec4Code,
      read: [],
      write: ["y"],
      params: ["size", "value"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 256),
      accepts: ({ size }) => size % 4 === 0,
    }),
  ],
  reference: fillReference,
  cost: ({ size }) => ({ flops: 0, bytes: 4 * size }),
});
