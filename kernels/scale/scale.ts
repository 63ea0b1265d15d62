import { family, kernel } from "../kernel.ts";
import { scaleReference } from "./scale.reference.ts";
import code from "./scale.wgsl?raw";
import vec4Code from "./scale-vec4.wgsl?raw";

/** y = factor · x, element by element: x [size] -> y [size]. */
export const scale = family({
  name: "scale",
  variants: [
    kernel({
      name: "scale",
      code,
      read: ["x"],
      write: ["y"],
      params: ["size", "factor"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 64),
    }),
    kernel({
      name: "scale-vec4",
      code: vec4Code,
      read: ["x"],
      write: ["y"],
      params: ["size", "factor"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 256),
      accepts: ({ size }) => size % 4 === 0,
    }),
  ],
  reference: scaleReference,
  cost: ({ size }) => ({ flops: size, bytes: 8 * size }),
});
