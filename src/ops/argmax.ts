import { argmax as kernels } from "../../kernels/index.ts";
import type { Tensor } from "../graph/tensor.ts";

/** What `argmax` gives for a row that holds a NaN. */
export const NOT_A_NUMBER = 0xffffffff;

/** The index of the first largest element of every row: x [..., V] -> [rows] (u32). */
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
