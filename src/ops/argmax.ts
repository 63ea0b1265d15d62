import { argmax as kernels } from "../../kernels/index.ts";
import type { Tensor } from "../graph/tensor.ts";

export { NOT_FINITE } from "../../kernels/index.ts";

/** The index of the first largest element of every row, `NOT_FINITE` where that is no finite number: x [..., V] -> [rows] (u32). */
export function argmax(x: Tensor): Tensor {
  const y = x.graph.value([x.rows], "u32");
  x.graph.record({
    op: "argmax",
    inputs: [x],
    outputs: [y],
    calls: [{ family: kernels, read: { x }, write: { y }, params: { rows: x.rows, width: x.width } }],
  });
  return y;
}
