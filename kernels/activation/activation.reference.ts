import type { HostArrays, Params } from "../kernel.ts";

/** The numbers by which the WGSL knows the activation functions (common/activation.wgsl). */
export const activationKinds = { silu: 0, gelu: 1, geluTanh: 2, quickGelu: 3 } as const;

/** The error function erf(x) = 2/√π ∫₀ˣ exp(-t²) dt in double precision. */
export function erf(x: number): number {
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  // erf(z) = 2/√π exp(-z²) Σ_n 2ⁿ z²ⁿ⁺¹ / (2n + 1)!! (Abramowitz & Stegun 7.1.6): no term is negative,
  // nothing cancels.
  let term = z;
  let sum = z;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * z * z) / (2 * n + 1);
    sum += term;
  }
  return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum;
}

const functions: readonly ((x: number) => number)[] = [
  (x) => x / (1 + Math.exp(-x)),
  (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  (x) => x / (1 + Math.exp(-1.702 * x)),
];

/**
 * One activation function of one number, in double precision: `kind` 0 is SiLU x σ(x), 1 GELU x Φ(x) (Hendrycks &
 * Gimpel 2016), 2 its tanh approximation, 3 quick GELU x σ(1.702 x).
 */
export function activate(kind: number, x: number): number {
  return functions[kind]!(x);
}

/** y[i] = act(x[i]) for one of `activationKinds`. */
export function activationReference(kind: number) {
  return ({ x }: HostArrays<"x">, { size }: Params<"size">): HostArrays<"y"> => {
    const y = new Float32Array(size);
    for (let i = 0; i < size; i++) y[i] = activate(kind, x[i]!);
    return { y };
  };
}
