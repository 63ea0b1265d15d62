import { family, kernel } from "../kernel.ts";
import { softmaxBackwardReference } from "./softmax-backward.reference.ts";
import code from "./softmax-backward.wgsl?raw";
import rowCode from "./softmax-backward-row.wgsl?raw";
import vec4Code from "./softmax-backward-vec4.wgsl?raw";

/** Gradient of `softmax` by its input: its output y and dy [rows, width] -> dx [rows, width]. */
export const softmaxBackward = family({
  name: "softmax-backward",
  variants: [
    kernel({
      name: "softmax-backward",
      code,
      read: ["y", "dy"],
      write: ["dx"],
      params: ["rows", "width", "scale"],
      needs: [],
      groups: ({ rows }) => rows,
    }),
    kernel({
      name: "softmax-backward-vec4",
      code: vec4Code,
      read: ["y", "dy"],
      write: ["dx"],
      params: ["rows", "width", "scale"],
      needs: [],
      groups: ({ rows }) => rows,
      accepts: ({ width }) => width % 4 === 0,
    }),
    kernel({
      name: "softmax-backward-row",
      code: rowCode,
      read: ["y", "dy"],
      write: ["dx"],
      params: ["rows", "width", "scale"],
      needs: [],
      groups: ({ rows }) => Math.ceil(rows / 8),
      accepts: ({ rows, width }, { software }) => software && rows >= 16 && width % 4 === 0,
    }),
  ],
  reference: softmaxBackwardReference,
  cost: ({ rows, width }) => ({ flops: 5 * rows * width, bytes: 12 * rows * width }),
});
