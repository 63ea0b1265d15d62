import { activate } from "../activation/activation.reference.ts";
import { activationSlope } from "../activation-backward/activation-backward.reference.ts";
import type { HostArrays, Params } from "../kernel.ts";

/** dx[r, c] = dy[r, c] · x[r, width + c] · act'(x[r, c]), dx[r, width + c] = dy[r, c] · act(x[r, c]). */
export function gatedBackwardReference(
  { x, dy }: HostArrays<"x" | "dy">,
  { rows, width, kind }: Params<"rows" | "width" | "kind">,
): HostArrays<"dx"> {
  const dx = new Float32Array(2 * rows * width);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < width; c++) {
      const gate = 2 * r * width + c;
      const gradient = dy[r * width + c];
      dx[gate] = gradient * x[gate + width] * activationSlope(kind, x[gate]);
      dx[gate + width] = gradient * activate(kind, x[gate]);
    }
  }
  return { dx };
}
