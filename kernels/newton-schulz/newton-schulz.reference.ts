import type { HostArrays, Params } from "../kernel.ts";

/** y[i] = x[i] / max(sqrt(square[0]), epsilon). */
export function unitNormReference(
  { x, square }: HostArrays<"x" | "square">,
  { size, epsilon }: Params<"size" | "epsilon">,
): HostArrays<"y"> {
  const norm = Math.max(Math.sqrt(square[0]), epsilon);
  return { y: Float32Array.from({ length: size }, (_, i) => x[i] / norm) };
}

/** y[r, c] = b · x[r, c] + c · x2[r, c], and a more on the diagonal. */
export function newtonSchulzReference(
  { x, x2 }: HostArrays<"x" | "x2">,
  { n, a, b, c }: Params<"n" | "a" | "b" | "c">,
): HostArrays<"y"> {
  const y = new Float32Array(n * n);
  for (let row = 0; row < n; row++) {
    for (let column = 0; column < n; column++) {
      const i = row * n + column;
      y[i] = (row === column ? a : 0) + b * x[i] + c * x2[i];
    }
  }
  return { y };
}
