import { family, kernel } from "../kernel.ts";
import gateCode from "./tanh-gate-backward-gate.wgsl?raw";
import vec4Code from "./tanh-gate-backward-vec4.wgsl?raw";
import { tanhGateBackwardGateReference, tanhGateBackwardReference } from "./tanh-gate-backward.reference.ts";
import code from "./tanh-gate-backward.wgsl?raw";

/** Gradient of `tanhGate` by z: gate [1], dy [size] -> dz = tanh(gate) · dy [size]. That by x is dy itself. */
export const tanhGateBackward = family({
  name: "tanh-gate-backward",
  variants: [
    kernel({
      name: "tanh-gate-backward",
      code,
      read: ["gate", "dy"],
      write: ["dz"],
      params: ["size"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 64),
    }),
    kernel({
      name: "tanh-gate-backward-vec4",
      code: vec4Code,
      read: ["gate", "dy"],
      write: ["dz"],
      params: ["size"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 256),
      accepts: ({ size }) => size % 4 === 0,
    }),
  ],
  reference: tanhGateBackwardReference,
  cost: ({ size }) => ({ flops: size, bytes: 8 * size }),
});

/**
 * Gradient of `tanhGate` by its gate: z and dy [size], gate [1] -> dgate = (1 - tanh² gate) · sum dy · z [1]. The order of
 * the additions depends on the size alone.
 */
export const tanhGateBackwardGate = family({
  name: "tanh-gate-backward-gate",
  variants: [
    kernel({
      name: "tanh-gate-backward-gate",
      code: gateCode,
      read: ["z", "gate", "dy"],
      write: ["dgate"],
      params: ["size"],
      needs: [],
      groups: () => 1,
    }),
  ],
  reference: tanhGateBackwardGateReference,
  cost: ({ size }) => ({ flops: 2 * size, bytes: 8 * size }),
});
