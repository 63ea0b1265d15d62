import { scale as kernels } from "../../kernels/index.ts";
import type { Tensor } from "../graph/tensor.ts";

/** y = factor · x. */
export function scale(x: Tensor, factor: number): Tensor {
  const y = x.graph.value(x.shape);
  x.graph.record({
    op: "scale",
    inputs: [x],
    outputs: [y],
    calls: [{ family: kernels, read: { x }, write: { y }, params: { size: x.size, factor } }],
    backward: (dy) => [{ to: x, value: scale(dy, factor) }],
  });
  return y;
}
