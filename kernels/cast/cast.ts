import { family, kernel } from "../kernel.ts";
import { packReference, unpackReference } from "./cast.reference.ts";
import packCode from "./pack.wgsl?raw";
import unpackCode from "./unpack.wgsl?raw";

/** Packed weights to f32: x [size] of any weight type -> y [size]. */
export const unpack = family({
  name: "unpack",
  weight: "x",
  variants: [
    kernel({
      name: "unpack",
      code: unpackCode,
      read: ["x"],
      write: ["y"],
      params: ["size"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 128),
    }),
  ],
  reference: unpackReference,
  cost: ({ size }) => ({ flops: 0, bytes: 8 * size }),
});

/** f32 to pairs of half-precision numbers: x [size] -> y [ceil(size / 2)] (u32), rounded to nearest, ties to even. */
export const pack = family({
  name: "pack",
  variants: [
    kernel({
      name: "pack",
      code: packCode,
      read: ["x"],
      write: ["y"],
      params: ["size"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 128),
    }),
  ],
  reference: packReference,
  cost: ({ size }) => ({ flops: 0, bytes: 6 * size }),
});
