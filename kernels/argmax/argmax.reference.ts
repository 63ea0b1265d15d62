import type { HostArrays, Params } from "../kernel.ts";

/** The result for a row that has no finite largest element: one that holds a NaN or +infinity, or nothing but -infinity. */
export const NOT_FINITE = 0xffffffff;

/** y[r] = the first c with the largest x[r, c], or `NOT_FINITE` if that is not finite or any element of the row is NaN. */
export function argmaxReference({ x }: HostArrays<"x">, { rows, width }: Params<"rows" | "width">): HostArrays<"y"> {
  const y = new Uint32Array(rows);
  for (let r = 0; r < rows; r++) {
    const row = x.subarray(r * width, (r + 1) * width);
    let best = 0;
    for (let c = 0; c < width; c++) if (row[c] > row[best]) best = c;
    y[r] = Number.isFinite(row[best]) && !row.some(Number.isNaN) ? best : NOT_FINITE;
  }
  return { y };
}
