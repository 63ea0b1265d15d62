import { erf } from "../activation/activation.reference.ts";
import type { HostArrays, Params } from "../kernel.ts";

/** (x σ(z))' = σ(z) + x z' σ(z) σ(-z). */
function sigmoidSlope(x: number, z: number, dz: number): number {
  const above = 1 / (1 + Math.exp(-z));
  const below = 1 / (1 + Math.exp(z));
  return above + x * dz * above * below;
}

const ROOT = 2 * Math.sqrt(2 / Math.PI);

const slopes: readonly ((x: number) => number)[] = [
  (x) => sigmoidSlope(x, x, 1),
  (x) => 0.5 * (1 + erf(x / Math.SQRT2)) + (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI),
  // x/2 (1 + tanh u) = x σ(2u)
  (x) => sigmoidSlope(x, ROOT * (x + 0.044715 * x ** 3), ROOT * (1 + 3 * 0.044715 * x * x)),
  (x) => sigmoidSlope(x, 1.702 * x, 1.702),
];

/** The derivative at x of one of `activationKinds`, in double precision. */
export function activationSlope(kind: number, x: number): number {
  return slopes[kind]!(x);
}

/** dx[i] = dy[i] · act'(x[i]) for one of `activationKinds`. */
export function activationBackwardReference(kind: number) {
  return ({ x, dy }: HostArrays<"x" | "dy">, { size }: Params<"size">): HostArrays<"dx"> => {
    const dx = new Float32Array(size);
    for (let i = 0; i < size; i++) dx[i] = dy[i] * activationSlope(kind, x[i]);
    return { dx };
  };
}
