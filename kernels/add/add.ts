import { family, kernel } from "../kernel.ts";
import { addReference } from "./add.reference.ts";
import code from "./add.wgsl?raw";
import vec4Code from "./add-vec4.wgsl?raw";

/** Sum of two tensors of one shape (the residual connection): a [size], b [size] -> y [size]. */
export const add = family({
  name: "add",
  variants: [
    kernel({
      name: "add",
      code,
      read: ["a", "b"],
      write: ["y"],
      params: ["size"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 64),
    }),
    kernel({
      name: "add-vec4",
      code: vec4Code,
      read: ["a", "b"],
      write: ["y"],
      params: ["size"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 256),
      accepts: ({ size }) => size % 4 === 0,
    }),
  ],
  reference: addReference,
  cost: ({ size }) => ({ flops: size, bytes: 12 * size }),
});
