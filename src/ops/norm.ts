import {
  layerNorm as layerNormKernels,
  layerNormBackward,
  layerNormBackwardWeight,
  rmsNorm as rmsNormKernels,
  rmsNormBackward,
  rmsNormBackwardWeight,
  rmsScale,
  rowStatistics,
} from "../../kernels/index.ts";
import type { Call, Contribution } from "../graph/graph.ts";
import { expectShape, type Parameter, shapeText, type Tensor } from "../graph/tensor.ts";

/** y = weight · x / sqrt(mean x² + ε) over the last axis: x [..., D], weight [D] -> [..., D]. Zhang & Sennrich 2019. */
export function rmsNorm(x: Tensor, weight: Parameter, epsilon: number): Tensor {
  expectNormShape("rmsNorm", x, weight);
  const y = x.graph.value(x.shape);
  x.graph.record({
    op: "rmsNorm",
    inputs: [x, weight],
    outputs: [y],
    calls: [{ family: rmsNormKernels, read: { x, weight: weight.block }, write: { y }, params: { rows: x.rows, width: x.width, epsilon } }],
    backward: (dy, needs) => {
      const params = { rows: x.rows, width: x.width, epsilon };
      const gradients: Contribution[] = [];
      if (needs(x)) {
        const dx = x.graph.value(x.shape);
        const call = { family: rmsNormBackward, read: { x, weight: weight.block, dy }, write: { dx }, params };
        x.graph.record({ op: "rmsNormBackwardX", inputs: [x, weight, dy], outputs: [dx], calls: [call] });
        gradients.push({ to: x, value: dx });
      }
      if (needs(weight)) {
        const scale = x.graph.value([x.rows]);
        const dweight = x.graph.value(weight.shape);
        const { epsilon: _, ...sizes } = params;
        const calls: Call[] = [
          { family: rmsScale, read: { x }, write: { scale }, params },
          { family: rmsNormBackwardWeight, read: { x, dy, scale }, write: { dweight }, params: sizes },
        ];
        x.graph.record({ op: "rmsNormBackwardWeight", inputs: [x, dy], outputs: [dweight], calls });
        gradients.push({ to: weight, value: dweight });
      }
      return gradients;
    },
  });
  return y;
}

/** y = weight · (x - mean x) / sqrt(var x + ε) + bias over the last axis, biased variance: x [..., D] -> [..., D]. Ba et al. 2016. */
export function layerNorm(x: Tensor, weight: Parameter, bias: Parameter, epsilon: number): Tensor {
  expectNormShape("layerNorm", x, weight);
  expectNormShape("layerNorm", x, bias);
  const y = x.graph.value(x.shape);
  x.graph.record({
    op: "layerNorm",
    inputs: [x, weight, bias],
    outputs: [y],
    calls: [
      {
        family: layerNormKernels,
        read: { x, weight: weight.block, bias: bias.block },
        write: { y },
        params: { rows: x.rows, width: x.width, epsilon },
      },
    ],
    backward: (dy, needs) => {
      const params = { rows: x.rows, width: x.width, epsilon };
      const gradients: Contribution[] = [];
      if (needs(x)) {
        const dx = x.graph.value(x.shape);
        const call = { family: layerNormBackward, read: { x, weight: weight.block, dy }, write: { dx }, params };
        x.graph.record({ op: "layerNormBackwardX", inputs: [x, weight, dy], outputs: [dx], calls: [call] });
        gradients.push({ to: x, value: dx });
      }
      if (needs(weight) || needs(bias)) {
        const [mean, scale] = [x.graph.value([x.rows]), x.graph.value([x.rows])];
        const [dweight, dbias] = [x.graph.value(weight.shape), x.graph.value(bias.shape)];
        const { epsilon: _, ...sizes } = params;
        const calls: Call[] = [
          { family: rowStatistics, read: { x }, write: { mean, scale }, params },
          { family: layerNormBackwardWeight, read: { x, dy, mean, scale }, write: { dweight, dbias }, params: sizes },
        ];
        x.graph.record({ op: "layerNormBackwardWeight", inputs: [x, dy], outputs: [dweight, dbias], calls });
        gradients.push({ to: weight, value: dweight }, { to: bias, value: dbias });
      }
      return gradients;
    },
  });
  return y;
}

function expectNormShape(op: string, x: Tensor, parameter: Parameter): void {
  expectShape(
    parameter.shape.join() === `${x.width}`,
    () => `${op}: expected ${parameter.path} of shape [${x.width}], got ${shapeText(parameter.shape)}`,
  );
}
