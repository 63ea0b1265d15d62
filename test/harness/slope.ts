/**
 * Directional derivatives by differences. D(h) = (L(h) - L(-h)) / 2h is the derivative up to h², (4 D(h/2) - D(h)) / 3 up to
 * h⁴ (Richardson 1911): so steps can be so large that the rounding of f32 outputs does not matter.
 */

/** The derivative at 0 of `value` in its argument, from four values at most `step` away. */
export async function slope(step: number, value: (at: number) => Promise<number>): Promise<number> {
  const central = async (h: number) => ((await value(h)) - (await value(-h))) / (2 * h);
  return (4 * (await central(step / 2)) - (await central(step))) / 3;
}

/** values + at · direction */
export function moved(values: Float32Array, direction: ArrayLike<number>, at: number): Float32Array {
  return values.map((value, i) => value + at * direction[i]!);
}

/** Σ a · b in double precision. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
}

/** Number of elements. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
