import { family, kernel } from "../kernel.ts";
import { gatedBackwardReference } from "./gated-backward.reference.ts";
import code from "./gated-backward.wgsl?raw";
import vec4Code from "./gated-backward-vec4.wgsl?raw";

/**
 * Gradient of `gated` by its input: x [rows, 2 · width], gate beside upward projection, dy [rows, width] ->
 * dx [rows, 2 · width]; `kind` is one of `activationKinds`.
 */
export const gatedBackward = family({
  name: "gated-backward",
  variants: [
    kernel({
      name: "gated-backward",
      code,
      read: ["x", "dy"],
      write: ["dx"],
      params: ["rows", "width", "kind"],
      needs: [],
      groups: ({ rows, width }) => Math.ceil((rows * width) / 64),
    }),
    kernel({
      name: "gated-backward-vec4",
      code: vec4Code,
      read: ["x", "dy"],
      write: ["dx"],
      params: ["rows", "width", "kind"],
      needs: [],
      groups: ({ rows, width }) => Math.ceil((rows * width) / 256),
      accepts: ({ width }) => width % 4 === 0,
    }),
  ],
  reference: gatedBackwardReference,
  cost: ({ rows, width }) => ({ flops: 15 * rows * width, bytes: 20 * rows * width }),
});
