import { activationKinds } from "../activation/activation.reference.ts";
import { type Family, family, kernel } from "../kernel.ts";
import { activationBackwardReference } from "./activation-backward.reference.ts";
import code from "./activation-backward.wgsl?raw";
import vec4Code from "./activation-backward-vec4.wgsl?raw";

/** x and dy [size] -> dx [size] for one activation function; `flops` counts roughly what one element costs. */
function activationBackward(name: string, kind: number, flops: number): Family<"x" | "dy", "dx", "size"> {
  return family({
    name,
    variants: [
      kernel({
        name,
        code,
        read: ["x", "dy"],
        write: ["dx"],
        params: ["size"],
        constants: { kind },
        needs: [],
        groups: ({ size }) => Math.ceil(size / 64),
      }),
      kernel({
        name: `${name}-vec4`,
        code: vec4Code,
        read: ["x", "dy"],
        write: ["dx"],
        params: ["size"],
        constants: { kind },
        needs: [],
        groups: ({ size }) => Math.ceil(size / 256),
        accepts: ({ size }) => size % 4 === 0,
      }),
    ],
    reference: activationBackwardReference(kind),
    cost: ({ size }) => ({ flops: flops * size, bytes: 12 * size }),
  });
}

/** Gradient of `silu` by its input: dx = dy · σ(x) (1 + x σ(-x)), element by element; x and dy [size] -> dx [size]. */
export const siluBackward = activationBackward("silu-backward", activationKinds.silu, 9);

/** Gradient of `gelu` by its input: dx = dy · (Φ(x) + x φ(x)), element by element; x and dy [size] -> dx [size]. */
export const geluBackward = activationBackward("gelu-backward", activationKinds.gelu, 34);

/** Gradient of `geluTanh` by its input, element by element: x and dy [size] -> dx [size]. */
export const geluTanhBackward = activationBackward("gelu-tanh-backward", activationKinds.geluTanh, 17);

/** Gradient of `quickGelu` by its input, element by element: x and dy [size] -> dx [size]. */
export const quickGeluBackward = activationBackward("quick-gelu-backward", activationKinds.quickGelu, 11);
