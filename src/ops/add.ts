import { add as kernels } from "../../kernels/index.ts";
import { expectShape, shapeText, type Tensor } from "../graph/tensor.ts";

/** y = a + b, equal shapes. Throws `ShapeError`. */
export function add(a: Tensor, b: Tensor): Tensor {
  expectShape(a.shape.join() === b.shape.join(), () => `add: shapes must agree, got ${shapeText(a.shape)} and ${shapeText(b.shape)}`);
  const y = a.graph.value(a.shape);
  a.graph.record({
    op: "add",
    inputs: [a, b],
    outputs: [y],
    calls: [{ family: kernels, read: { a, b }, write: { y }, params: { size: a.size } }],
    backward: (dy) => [{ to: a, value: dy }, { to: b, value: dy }],
  });
  return y;
}
