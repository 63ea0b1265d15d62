import { softmax as kernels, softmaxBackward } from "../../kernels/index.ts";
import type { Tensor } from "../graph/tensor.ts";

/** y = softmax(factor · x) over the last axis: x [..., D] -> [..., D], rows that sum to 1. */
export function softmax(x: Tensor, factor = 1): Tensor {
  const { graph, shape } = x;
  const params = { rows: x.rows, width: x.width, scale: factor };
  const y = graph.value(shape);
  graph.record({
    op: "softmax",
    inputs: [x],
    outputs: [y],
    calls: [{ family: kernels, read: { x }, write: { y }, params }],
    backward: (dy) => {
      const dx = graph.value(shape);
      graph.record({ op: "softmaxBackward", inputs: [y, dy], outputs: [dx], calls: [{ family: softmaxBackward, read: { y, dy }, write: { dx }, params }] });
      return [{ to: x, value: dx }];
    },
  });
  return y;
}
