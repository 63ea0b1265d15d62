import { type Family, family, kernel } from "../kernel.ts";
import { activationKinds, activationReference } from "./activation.reference.ts";
import code from "./activation.wgsl?raw";
import vec4Code from "./activation-vec4.wgsl?raw";

export { activationKinds } from "./activation.reference.ts";

/** x [size] -> y [size] with one activation function; `flops` counts roughly what one element costs. */
function activation(name: string, kind: number, flops: number): Family<"x", "y", "size"> {
  return family({
    name,
    variants: [
      kernel({
        name,
        code,
        read: ["x"],
        write: ["y"],
        params: ["size"],
        constants: { kind },
        needs: [],
        groups: ({ size }) => Math.ceil(size / 64),
      }),
      kernel({
        name: `${name}-vec4`,
        code: vec4Code,
        read: ["x"],
        write: ["y"],
        params: ["size"],
        constants: { kind },
        needs: [],
        groups: ({ size }) => Math.ceil(size / 256),
        accepts: ({ size }) => size % 4 === 0,
      }),
    ],
    reference: activationReference(kind),
    cost: ({ size }) => ({ flops: flops * size, bytes: 8 * size }),
  });
}

/** y = x · sigmoid(x), element by element: x [size] -> y [size]. */
export const silu = activation("silu", activationKinds.silu, 4);

/** y = x · Φ(x) with the exact normal distribution function (PyTorch's `gelu`): x [size] -> y [size]. */
export const gelu = activation("gelu", activationKinds.gelu, 28);

/** y = x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))), PyTorch's `gelu` with `approximate="tanh"`: x [size] -> y [size]. */
export const geluTanh = activation("gelu-tanh", activationKinds.geluTanh, 9);

/** y = x · sigmoid(1.702 x), the activation of CLIP: x [size] -> y [size]. */
export const quickGelu = activation("quick-gelu", activationKinds.quickGelu, 5);
