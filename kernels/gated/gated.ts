import { family, kernel } from "../kernel.ts";
import { gatedReference } from "./gated.reference.ts";
import code from "./gated.wgsl?raw";
import vec4Code from "./gated-vec4.wgsl?raw";

/**
 * Gated linear unit: x [rows, 2 · width], gate beside upward projection -> y [rows, width]; `kind` is one of
 * `activationKinds` (0 SiLU, 1 GELU, 2 GELU with tanh, 3 quick GELU).
 */
export const gated = family({
  name: "gated",
  variants: [
    kernel({
      name: "gated",
      code,
      read: ["x"],
      write: ["y"],
      params: ["rows", "width", "kind"],
      needs: [],
      groups: ({ rows, width }) => Math.ceil((rows * width) / 64),
    }),
    kernel({
      name: "gated-vec4",
      code: vec4Code,
      read: ["x"],
      write: ["y"],
      params: ["rows", "width", "kind"],
      needs: [],
      groups: ({ rows, width }) => Math.ceil((rows * width) / 256),
      accepts: ({ width }) => width % 4 === 0,
    }),
  ],
  reference: gatedReference,
  cost: ({ rows, width }) => ({ flops: 5 * rows * width, bytes: 12 * rows * width }),
});
