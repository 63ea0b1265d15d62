import { family, kernel } from "../kernel.ts";
import { layerNormBackwardReference, layerNormBackwardWeightReference } from "./layer-norm-backward.reference.ts";
import code from "./layer-norm-backward.wgsl?raw";
import rowCode from "./layer-norm-backward-row.wgsl?raw";
import vec4Code from "./layer-norm-backward-vec4.wgsl?raw";
import weightCode from "./layer-norm-backward-weight.wgsl?raw";

/** Gradient of `layerNorm` by its input: x [rows, width], weight [width], dy [rows, width] -> dx [rows, width]. */
export const layerNormBackward = family({
  name: "layer-norm-backward",
  variants: [
    kernel({
      name: "layer-norm-backward",
      code,
      read: ["x", "weight", "dy"],
      write: ["dx"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => rows,
    }),
    kernel({
      name: "layer-norm-backward-vec4",
      code: vec4Code,
      read: ["x", "weight", "dy"],
      write: ["dx"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => rows,
      accepts: ({ width }) => width % 4 === 0,
    }),
    kernel({
      name: "layer-norm-backward-row",
      code: rowCode,
      read: ["x", "weight", "dy"],
      write: ["dx"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => Math.ceil(rows / 8),
      accepts: ({ rows, width }, { software }) => software && rows >= 16 && width % 4 === 0,
    }),
  ],
  reference: layerNormBackwardReference,
  cost: ({ rows, width }) => ({ flops: 13 * rows * width, bytes: 4 * (3 * rows * width + width) }),
});

/**
 * Gradients of `layerNorm` by weight and bias: x and dy [rows, width], mean and scale [rows] of `rowStatistics` ->
 * dweight and dbias [width]. The order of the additions depends on the sizes alone.
 */
export const layerNormBackwardWeight = family({
  name: "layer-norm-backward-weight",
  variants: [
    kernel({
      name: "layer-norm-backward-weight",
      code: weightCode,
      read: ["x", "dy", "mean", "scale"],
      write: ["dweight", "dbias"],
      params: ["rows", "width"],
      needs: [],
      groups: ({ width }) => Math.ceil(width / 32),
    }),
  ],
  reference: layerNormBackwardWeightReference,
  cost: ({ rows, width }) => ({ flops: 5 * rows * width, bytes: 4 * (2 * rows * width + 2 * rows + 2 * width) }),
});
