import { family, kernel } from "../kernel.ts";
import { rmsNormBackwardReference, rmsNormBackwardWeightReference } from "./rms-norm-backward.reference.ts";
import code from "./rms-norm-backward.wgsl?raw";
import rowCode from "./rms-norm-backward-row.wgsl?raw";
import vec4Code from "./rms-norm-backward-vec4.wgsl?raw";
import weightCode from "./rms-norm-backward-weight.wgsl?raw";

/** Gradient of `rmsNorm` by its input: x [rows, width], weight [width], dy [rows, width] -> dx [rows, width]. */
export const rmsNormBackward = family({
  name: "rms-norm-backward",
  variants: [
    kernel({
      name: "rms-norm-backward",
      code,
      read: ["x", "weight", "dy"],
      write: ["dx"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => rows,
    }),
    kernel({
      name: "rms-norm-backward-vec4",
      code: vec4Code,
      read: ["x", "weight", "dy"],
      write: ["dx"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => rows,
      accepts: ({ width }) => width % 4 === 0,
    }),
    kernel({
      name: "rms-norm-backward-row",
      code: rowCode,
      read: ["x", "weight", "dy"],
      write: ["dx"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => Math.ceil(rows / 8),
      accepts: ({ rows, width }, { software }) => software && rows >= 16 && width % 4 === 0,
    }),
  ],
  reference: rmsNormBackwardReference,
  cost: ({ rows, width }) => ({ flops: 9 * rows * width, bytes: 4 * (3 * rows * width + width) }),
});

/**
 * Gradient of `rmsNorm` by its weight: x and dy [rows, width], scale [rows] of `rmsScale` -> dweight [width].
 * The order of the additions depends on the sizes alone.
 */
export const rmsNormBackwardWeight = family({
  name: "rms-norm-backward-weight",
  variants: [
    kernel({
      name: "rms-norm-backward-weight",
      code: weightCode,
      read: ["x", "dy", "scale"],
      write: ["dweight"],
      params: ["rows", "width"],
      needs: [],
      groups: ({ width }) => Math.ceil(width / 32),
    }),
  ],
  reference: rmsNormBackwardWeightReference,
  cost: ({ rows, width }) => ({ flops: 3 * rows * width, bytes: 4 * (2 * rows * width + rows + width) }),
});
