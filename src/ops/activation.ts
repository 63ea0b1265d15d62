import {
  gated as gatedKernels,
  gatedBackward,
  gelu,
  geluBackward,
  geluTanh,
  geluTanhBackward,
  quickGelu,
  quickGeluBackward,
  silu,
  siluBackward,
} from "../../kernels/index.ts";
import { expectShape, shapeText, type Tensor } from "../graph/tensor.ts";

/** "gelu" is x·Φ(x) with the exact error function, "gelu-tanh" its tanh form, "quick-gelu" x·σ(1.702x), "silu" x·σ(x). */
export type Activation = "gelu" | "gelu-tanh" | "quick-gelu" | "silu";

const families = { gelu, "gelu-tanh": geluTanh, "quick-gelu": quickGelu, silu };
const backwardFamilies = { gelu: geluBackward, "gelu-tanh": geluTanhBackward, "quick-gelu": quickGeluBackward, silu: siluBackward };
const gateKinds: Partial<Record<Activation, number>> = { silu: 0, gelu: 1, "gelu-tanh": 2 };

/** y = f(x), element by element. */
export function activation(x: Tensor, kind: Activation): Tensor {
  const y = x.graph.value(x.shape);
  x.graph.record({
    op: kind,
    inputs: [x],
    outputs: [y],
    calls: [{ family: families[kind], read: { x }, write: { y }, params: { size: x.size } }],
    backward: (dy) => {
      const dx = x.graph.value(x.shape);
      const call = { family: backwardFamilies[kind], read: { x, dy }, write: { dx }, params: { size: x.size } };
      x.graph.record({ op: `${kind}Backward`, inputs: [x, dy], outputs: [dx], calls: [call] });
      return [{ to: x, value: dx }];
    },
  });
  return y;
}

/** y[..., c] = f(x[..., c]) · x[..., W + c]: gate and up side by side, x [..., 2W] -> [..., W]. Shazeer 2020 (SwiGLU for silu). */
export function gated(x: Tensor, kind: Activation): Tensor {
  const code = gateKinds[kind];
  expectShape(code !== undefined, () => `gated: expected one of ${Object.keys(gateKinds).join(", ")}, got ${kind}`);
  expectShape(x.width % 2 === 0, () => `gated: expected an even last axis (gate and up), got ${shapeText(x.shape)}`);
  const width = x.width / 2;
  const y = x.graph.value([...x.shape.slice(0, -1), width]);
  x.graph.record({
    op: "gated",
    inputs: [x],
    outputs: [y],
    calls: [{ family: gatedKernels, read: { x }, write: { y }, params: { rows: x.rows, width, kind: code } }],
    backward: (dy) => {
      const dx = x.graph.value(x.shape);
      const call = { family: gatedBackward, read: { x, dy }, write: { dx }, params: { rows: x.rows, width, kind: code } };
      x.graph.record({ op: "gatedBackward", inputs: [x, dy], outputs: [dx], calls: [call] });
      return [{ to: x, value: dx }];
    },
  });
  return y;
}
