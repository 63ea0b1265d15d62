import { family, kernel } from "../kernel.ts";
import { dropoutReference } from "./dropout.reference.ts";
import code from "./dropout.wgsl?raw";
import vec4Code from "./dropout-vec4.wgsl?raw";

/**
 * Dropout: y[i] = x[i] / (1 - rate) with probability 1 - rate, otherwise 0; x [size] -> y [size], 0 <= rate < 1.
 * Which elements are kept depends on `seed` (any u32) and i alone, by the integers of `Random(seed)`: the same on every
 * adapter. It is its own gradient: with the same rate and seed it turns dy into dx.
 */
export const dropout = family({
  name: "dropout",
  variants: [
    kernel({
      name: "dropout",
      code,
      read: ["x"],
      write: ["y"],
      params: ["size", "rate", "seed"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 64),
    }),
    kernel({
      name: "dropout-vec4",
      code: vec4Code,
      read: ["x"],
      write: ["y"],
      params: ["size", "rate", "seed"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 256),
      accepts: ({ size }) => size % 4 === 0,
    }),
  ],
  reference: dropoutReference,
  cost: ({ size }) => ({ flops: 2 * size, bytes: 8 * size }),
});
