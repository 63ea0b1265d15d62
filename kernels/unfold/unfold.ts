import { family, kernel } from "../kernel.ts";
import { unfoldReference } from "./unfold.reference.ts";
import code from "./unfold.wgsl?raw";

/**
 * Cuts images into patches: pixels [batch, channels, height, width] ->
 * y [batch · gridHeight · gridWidth, channels · patchSize²], columns in the order of a convolution weight. The grid
 * must lie inside the image.
 */
export const unfold = family({
  name: "unfold",
  variants: [
    kernel({
      name: "unfold",
      code,
      read: ["pixels"],
      write: ["y"],
      params: ["batch", "channels", "height", "width", "patchSize", "gridHeight", "gridWidth"],
      needs: [],
      groups: ({ batch, channels, patchSize, gridHeight, gridWidth }) =>
        Math.ceil((batch * gridHeight * gridWidth * channels * patchSize * patchSize) / 64),
    }),
  ],
  reference: unfoldReference,
  cost: ({ batch, channels, patchSize, gridHeight, gridWidth }) => ({
    flops: 0,
    bytes: 8 * batch * gridHeight * gridWidth * channels * patchSize * patchSize,
  }),
});
