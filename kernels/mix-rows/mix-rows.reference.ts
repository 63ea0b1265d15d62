import type { HostArrays, Params } from "../kernel.ts";

/** y[r, c] = Σ_t weight[r, t] · x[index[r, t], c]. */
export function mixRowsReference(
  { x, index, weight }: HostArrays<"x" | "index" | "weight">,
  { rows, taps, width }: Params<"rows" | "taps" | "width">,
): HostArrays<"y"> {
  const y = new Float32Array(rows * width);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < width; c++) {
      let sum = 0;
      for (let t = 0; t < taps; t++) sum += weight[r * taps + t]! * x[index[r * taps + t]! * width + c]!;
      y[r * width + c] = sum;
    }
  }
  return { y };
}
