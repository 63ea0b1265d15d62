import { family, kernel } from "../kernel.ts";
import { unfoldBackwardReference } from "./unfold-backward.reference.ts";
import code from "./unfold-backward.wgsl?raw";

/**
 * The gradient of `unfold`: dy [batch · gridHeight · gridWidth, channels · patchSize²] ->
 * dpixels [batch, channels, height, width], 0 where no patch lies.
 */
export const unfoldBackward = family({
  name: "unfold-backward",
  variants: [
    kernel({
      name: "unfold-backward",
      code,
      read: ["dy"],
      write: ["dpixels"],
      params: ["batch", "channels", "height", "width", "patchSize", "gridHeight", "gridWidth"],
      needs: [],
      groups: ({ batch, channels, height, width }) => Math.ceil((batch * channels * height * width) / 64),
    }),
  ],
  reference: unfoldBackwardReference,
  cost: ({ batch, channels, height, width, patchSize, gridHeight, gridWidth }) => ({
    flops: 0,
    bytes: 4 * batch * channels * (height * width + gridHeight * gridWidth * patchSize * patchSize),
  }),
});
