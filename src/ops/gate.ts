import { tanhGate as kernels, tanhGateBackward, tanhGateBackwardGate } from "../../kernels/index.ts";
import type { Contribution } from "../graph/graph.ts";
import { expectShape, type Parameter, shapeText, type Tensor } from "../graph/tensor.ts";

/**
 * y = x + tanh(gate) · z: a residual branch behind a learned gate, which starts shut at 0 and so leaves a pretrained model
 * as it is. x and z of equal shape, gate [1] -> their shape. Alayrac et al. 2022 (Flamingo).
 * Throws `ShapeError`.
 */
export function tanhGate(x: Tensor, z: Tensor, gate: Parameter): Tensor {
  expectShape(x.shape.join() === z.shape.join(), () => `tanhGate: shapes must agree, got ${shapeText(x.shape)} and ${shapeText(z.shape)}`);
  expectShape(gate.shape.join() === "1", () => `tanhGate: expected ${gate.path} of shape [1], got ${shapeText(gate.shape)}`);
  const { graph, shape, size } = x;
  const y = graph.value(shape);
  graph.record({
    op: "tanhGate",
    inputs: [x, z, gate],
    outputs: [y],
    calls: [{ family: kernels, read: { x, z, gate: gate.block }, write: { y }, params: { size } }],
    backward: (dy, needs) => {
      const gradients: Contribution[] = [{ to: x, value: dy }];
      if (needs(z)) {
        const dz = graph.value(shape);
        const call = { family: tanhGateBackward, read: { gate: gate.block, dy }, write: { dz }, params: { size } };
        graph.record({ op: "tanhGateBackward", inputs: [gate, dy], outputs: [dz], calls: [call] });
        gradients.push({ to: z, value: dz });
      }
      if (needs(gate)) {
        const dgate = graph.value(gate.shape);
        const call = { family: tanhGateBackwardGate, read: { z, gate: gate.block, dy }, write: { dgate }, params: { size } };
        graph.record({ op: "tanhGateBackwardGate", inputs: [z, gate, dy], outputs: [dgate], calls: [call] });
        gradients.push({ to: gate, value: dgate });
      }
      return gradients;
    },
  });
  return y;
}
