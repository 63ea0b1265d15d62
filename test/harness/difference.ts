const EPSILON = 2 ** -23;

/**
 * The allowed |got - want| for an f32 sum of `reduction` products, as a share of the largest |want|: rounding of a random
 * walk grows with the root of its length. `builtins` counts units in the last place for WGSL's inexact functions (exp, tanh).
 */
export function tolerance(reduction: number, builtins = 0): number {
  return EPSILON * (4 + 2 * Math.sqrt(reduction) + builtins);
}

/** Compares two arrays by the largest difference relative to the largest wanted value; returns that share. */
export function difference(got: ArrayLike<number>, want: ArrayLike<number>): { share: number; index: number; largest: number } {
  let largest = 0;
  let worst = 0;
  let index = 0;
  for (let i = 0; i < want.length; i++) {
    largest = Math.max(largest, Math.abs(want[i]!));
    const off = Math.abs(got[i]! - want[i]!);
    if (off > worst || Number.isNaN(off)) {
      worst = off;
      index = i;
      if (Number.isNaN(off)) break;
    }
  }
  return { share: worst === 0 ? 0 : worst / (largest || 1), index, largest };
}
