import { family, kernel } from "../kernel.ts";
import { rotaryReference } from "./rotary.reference.ts";
import code from "./rotary.wgsl?raw";

/**
 * Rotary position embedding of `heads` heads in `rows` rows: x, rows xStride apart, and table [positions, headSize]
 * (cos | sin) -> y, rows yStride apart. `headSize` is even. Only the heads' own elements of y are written. With
 * `inverse` 1 it rotates by the negative angle: the gradient of the same rotation.
 */
export const rotary = family({
  name: "rotary",
  variants: [
    kernel({
      name: "rotary",
      code,
      read: ["x", "table"],
      write: ["y"],
      params: [
        "rows", "heads", "headSize",
        "xStride", "xOffset", "yStride", "yOffset", "yRow",
        "position", "sequence", "inverse",
      ],
      needs: [],
      groups: ({ rows, heads, headSize }) => Math.ceil((rows * heads * headSize) / 2 / 64),
    }),
  ],
  reference: rotaryReference,
  cost: ({ rows, heads, headSize, sequence }) => ({
    flops: 3 * rows * heads * headSize,
    bytes: 4 * (2 * rows * heads * headSize + Math.min(rows, sequence) * headSize),
  }),
});
