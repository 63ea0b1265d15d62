import { layerNorm as layerNormKernels, rmsNorm as rmsNormKernels } from "../../kernels/index.ts";
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
  });
  return y;
}

function expectNormShape(op: string, x: Tensor, parameter: Parameter): void {
  expectShape(
    parameter.shape.join() === `${x.width}`,
    () => `${op}: expected ${parameter.path} of shape [${x.width}], got ${shapeText(parameter.shape)}`,
  );
}
