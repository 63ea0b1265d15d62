import { family, kernel } from "../kernel.ts";
import vec4Code from "./adamw-vec4.wgsl?raw";
import { adamWReference } from "./adamw.reference.ts";
import code from "./adamw.wgsl?raw";

const bindings = {
  read: ["gradient", "norm"],
  write: ["parameter", "m", "v"],
  params: [
    "offset", "count", "learningRate", "beta1", "beta2", "share1", "share2", "epsilon", "weightDecay",
    "correction1", "correction2", "maxNorm",
  ],
} as const;

/**
 * One step of AdamW (Loshchilov & Hutter 2019) in the order of PyTorch's, on the elements [offset, offset + count) of
 * gradient, parameter and the moments m and v alike; the others keep their values:
 * g = gradient · min(1, maxNorm / (norm[0] + 1e-6)) if maxNorm > 0; p = parameter · (1 - learningRate · weightDecay);
 * m = beta1 · m + share1 · g; v = beta2 · v + share2 · g²;
 * parameter = p - learningRate · (m / correction1) / (sqrt(v / correction2) + epsilon).
 *
 * `share1` and `share2` are 1 - beta, `correction1` and `correction2` 1 - betaᵗ in step t = 1, 2, ..., all computed in
 * double precision; `norm` [1] is read only if maxNorm > 0.
 */
export const adamW = family({
  name: "adamw",
  variants: [
    kernel({
      name: "adamw",
      code,
      ...bindings,
      needs: [],
      groups: ({ count }) => Math.ceil(count / 256),
    }),
    kernel({
      name: "adamw-vec4",
      code: vec4Code,
      ...bindings,
      needs: [],
      accepts: ({ offset, count }) => offset % 4 === 0 && count % 4 === 0,
      groups: ({ count }) => Math.ceil(count / 1024),
    }),
  ],
  reference: adamWReference,
  cost: ({ count }) => ({ flops: 16 * count, bytes: 28 * count }),
});
