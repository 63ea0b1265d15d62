import { family, kernel } from "../kernel.ts";
import { layerNormReference } from "./layer-norm.reference.ts";
import code from "./layer-norm.wgsl?raw";
import rowCode from "./layer-norm-row.wgsl?raw";
import vec4Code from "./layer-norm-vec4.wgsl?raw";

/** Layer normalisation of every row: x [rows, width], weight [width], bias [width] -> y [rows, width]. */
export const layerNorm = family({
  name: "layer-norm",
  variants: [
    kernel({
      name: "layer-norm",
      code,
      read: ["x", "weight", "bias"],
      write: ["y"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => rows,
    }),
    kernel({
      name: "layer-norm-vec4",
      code: vec4Code,
      read: ["x", "weight", "bias"],
      write: ["y"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => rows,
      accepts: ({ width }) => width % 4 === 0,
    }),
    kernel({
      name: "layer-norm-row",
      code: rowCode,
      read: ["x", "weight", "bias"],
      write: ["y"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => Math.ceil(rows / 8),
      accepts: ({ rows, width }, { software }) => software && rows >= 16 && width % 4 === 0,
    }),
  ],
  reference: layerNormReference,
  cost: ({ rows, width }) => ({ flops: 8 * rows * width, bytes: 4 * (2 * rows * width + 2 * width) }),
});
