import { family, kernel } from "../kernel.ts";
import { rmsScaleReference } from "./rms-scale.reference.ts";
import code from "./rms-scale.wgsl?raw";
import rowCode from "./rms-scale-row.wgsl?raw";
import vec4Code from "./rms-scale-vec4.wgsl?raw";

/** The factor by which `rmsNorm` scales every row, for the gradient of its weight: x [rows, width] -> scale [rows]. */
export const rmsScale = family({
  name: "rms-scale",
  variants: [
    kernel({
      name: "rms-scale",
      code,
      read: ["x"],
      write: ["scale"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => rows,
    }),
    kernel({
      name: "rms-scale-vec4",
      code: vec4Code,
      read: ["x"],
      write: ["scale"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => rows,
      accepts: ({ width }) => width % 4 === 0,
    }),
    kernel({
      name: "rms-scale-row",
      code: rowCode,
      read: ["x"],
      write: ["scale"],
      params: ["rows", "width", "epsilon"],
      needs: [],
      groups: ({ rows }) => Math.ceil(rows / 8),
      accepts: ({ rows, width }, { software }) => software && rows >= 16 && width % 4 === 0,
    }),
  ],
  reference: rmsScaleReference,
  cost: ({ rows, width }) => ({ flops: 2 * rows * width, bytes: 4 * (rows * width + rows) }),
});
