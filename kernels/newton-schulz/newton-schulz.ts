import { family, kernel } from "../kernel.ts";
import newtonSchulzVec4Code from "./newton-schulz-vec4.wgsl?raw";
import newtonSchulzCode from "./newton-schulz.wgsl?raw";
import { newtonSchulzReference, unitNormReference } from "./newton-schulz.reference.ts";
import unitNormVec4Code from "./unit-norm-vec4.wgsl?raw";
import unitNormCode from "./unit-norm.wgsl?raw";

/** Scales to a norm of 1: y = x / max(sqrt(square[0]), epsilon), x [size], square [1] the sum of the squares of x. */
export const unitNorm = family({
  name: "unit-norm",
  variants: [
    kernel({
      name: "unit-norm",
      code: unitNormCode,
      read: ["x", "square"],
      write: ["y"],
      params: ["size", "epsilon"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 256),
    }),
    kernel({
      name: "unit-norm-vec4",
      code: unitNormVec4Code,
      read: ["x", "square"],
      write: ["y"],
      params: ["size", "epsilon"],
      needs: [],
      accepts: ({ size }) => size % 4 === 0,
      groups: ({ size }) => Math.ceil(size / 1024),
    }),
  ],
  reference: unitNormReference,
  cost: ({ size }) => ({ flops: size, bytes: 8 * size }),
});

/**
 * The polynomial of a Newton-Schulz step, y = a · I + b · x + c · x2 with x2 = x · x: x, x2, y [n, n]. For the Gram matrix
 * x = M Mᵀ, y · M is the step a · M + b · (M Mᵀ) M + c · (M Mᵀ)² M.
 */
export const newtonSchulz = family({
  name: "newton-schulz",
  variants: [
    kernel({
      name: "newton-schulz",
      code: newtonSchulzCode,
      read: ["x", "x2"],
      write: ["y"],
      params: ["n", "a", "b", "c"],
      needs: [],
      groups: ({ n }) => n,
    }),
    kernel({
      name: "newton-schulz-vec4",
      code: newtonSchulzVec4Code,
      read: ["x", "x2"],
      write: ["y"],
      params: ["n", "a", "b", "c"],
      needs: [],
      accepts: ({ n }) => n % 4 === 0,
      groups: ({ n }) => n,
    }),
  ],
  reference: newtonSchulzReference,
  cost: ({ n }) => ({ flops: 3 * n * n, bytes: 12 * n * n }),
});
