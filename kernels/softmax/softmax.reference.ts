import type { HostArrays, Params } from "../kernel.ts";

/** y[r, c] = softmax over c of scale · x[r, c]. */
export function softmaxReference(
  { x }: HostArrays<"x">,
  { rows, width, scale }: Params<"rows" | "width" | "scale">,
): HostArrays<"y"> {
  const y = new Float32Array(rows * width);
  for (let r = 0; r < rows; r++) {
    let largest = -Infinity;
    for (let c = 0; c < width; c++) largest = Math.max(largest, scale * x[r * width + c]!);
    let sum = 0;
    for (let c = 0; c < width; c++) sum += Math.exp(scale * x[r * width + c]! - largest);
    for (let c = 0; c < width; c++) y[r * width + c] = Math.exp(scale * x[r * width + c]! - largest) / sum;
  }
  return { y };
}
