import { family, kernel } from "../kernel.ts";
import vec4Code from "./tanh-gate-vec4.wgsl?raw";
import { tanhGateReference } from "./tanh-gate.reference.ts";
import code from "./tanh-gate.wgsl?raw";

/**
 * A residual branch behind a learned gate that starts shut (Alayrac et al. 2022, "Flamingo"):
 * y = x + tanh(gate) · z, x and z [size], gate [1] -> y [size].
 */
export const tanhGate = family({
  name: "tanh-gate",
  variants: [
    kernel({
      name: "tanh-gate",
      code,
      read: ["x", "z", "gate"],
      write: ["y"],
      params: ["size"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 64),
    }),
    kernel({
      name: "tanh-gate-vec4",
      code: vec4Code,
      read: ["x", "z", "gate"],
      write: ["y"],
      params: ["size"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 256),
      accepts: ({ size }) => size % 4 === 0,
    }),
  ],
  reference: tanhGateReference,
  cost: ({ size }) => ({ flops: 2 * size, bytes: 12 * size }),
});
