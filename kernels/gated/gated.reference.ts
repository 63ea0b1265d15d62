import { activate } from "../activation/activation.reference.ts";
import type { HostArrays, Params } from "../kernel.ts";

/** y[r, c] = act(x[r, c]) · x[r, width + c]; `kind` is one of `activationKinds`. */
export function gatedReference(
  { x }: HostArrays<"x">,
  { rows, width, kind }: Params<"rows" | "width" | "kind">,
): HostArrays<"y"> {
  const y = new Float32Array(rows * width);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < width; c++) {
      y[r * width + c] = activate(kind, x[r * 2 * width + c]!) * x[r * 2 * width + width + c]!;
    }
  }
  return { y };
}
