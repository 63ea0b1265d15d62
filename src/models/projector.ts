import type { Tensor } from "../graph/tensor.ts";
import { linearLayer } from "../nn/layers.ts";
import type { Scope } from "../nn/scope.ts";
import { activation } from "../ops/index.ts";
import type { ProjectorConfig } from "./config.ts";

/**
 * The connector of LLaVA-1.5 and after: linear, activation, linear. [..., V] -> [..., D], V the width of the image features,
 * D that of the language model. Liu et al. 2023, "Improved Baselines with Visual Instruction Tuning".
 */
export function projector(scope: Scope, inputs: number, outputs: number, config: ProjectorConfig): (features: Tensor) => Tensor {
  const linear1 = linearLayer(scope.at("linear1"), inputs, outputs, config.bias);
  const linear2 = linearLayer(scope.at("linear2"), outputs, outputs, config.bias);
  return (features) => features.graph.within(scope.path, () => scope.name(linear2(activation(linear1(features), config.activation))));
}
