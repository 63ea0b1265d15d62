import { family, kernel } from "../kernel.ts";
import { rmsNormReference } from "./rms-norm.reference.ts";
import code from "./rms-norm.wgsl?raw";
import rowCode from "./rms-norm-row.wgsl?raw";
import vec4Code from "./rms-norm-vec4.wgsl?raw";

/** Root-mean-square normalisation of every row: x [rows, width], weight [width] -> y [rows, width]. */
export const rmsNorm = family({
  name: "rms-norm",
  variants: [
    kernel({
      name: "rms-norm",
      code,
      read: ["x", "weight"],
      write: ["y"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => rows,
    }),
    kernel({
      name: "rms-norm-vec4",
      code: vec4Code,
      read: ["x", "weight"],
      write: ["y"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => rows,
      accepts: ({ width }) => width % 4 === 0,
    }),
    kernel({
      name: "rms-norm-row",
      code: rowCode,
      read: ["x", "weight"],
      write: ["y"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => Math.ceil(rows / 8),
      accepts: ({ rows, width }, { software }) => software && rows >= 16 && width % 4 === 0,
    }),
  ],
  reference: rmsNormReference,
  cost: ({ rows, width }) => ({ flops: 4 * rows * width, bytes: 4 * (2 * rows * width + width) }),
});
