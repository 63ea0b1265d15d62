import type { HostArrays, Params } from "../kernel.ts";

/** y[r] = the first c with the largest x[r, c], or 0xffffffff if any element of the row is NaN. */
export function argmaxReference({ x }: HostArrays<"x">, { rows, width }: Params<"rows" | "width">): HostArrays<"y"> {
  const y = new Uint32Array(rows);
  for (let r = 0; r < rows; r++) {
    let best = 0;
    for (let c = 0; c < width; c++) {
      if (Number.isNaN(x[r * width + c])) {
        best = 0xffffffff;
        break;
      }
      if (x[r * width + c] > x[r * width + best]) best = c;
    }
    y[r] = best;
  }
  return { y };
}
