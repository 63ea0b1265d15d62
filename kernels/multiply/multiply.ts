import { family, kernel } from "../kernel.ts";
import { multiplyReference } from "./multiply.reference.ts";
import code from "./multiply.wgsl?raw";
import vec4Code from "./multiply-vec4.wgsl?raw";

/** y = a · b, element by element: a and b [size] -> y [size]. */
export const multiply = family({
  name: "multiply",
  variants: [
    kernel({
      name: "multiply",
      code,
      read: ["a", "b"],
      write: ["y"],
      params: ["size"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 64),
    }),
    kernel({
      name: "multiply-vec4",
      code: vec4Code,
      read: ["a", "b"],
      write: ["y"],
      params: ["size"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 256),
      accepts: ({ size }) => size % 4 === 0,
    }),
  ],
  reference: multiplyReference,
  cost: ({ size }) => ({ flops: size, bytes: 12 * size }),
});
