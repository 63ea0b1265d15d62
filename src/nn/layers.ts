/** The layers that every part of the family is made of: functions that declare their weights and return what they compute. */
import type { Parameter, Tensor } from "../graph/tensor.ts";
import { type Activation, activation, addColumns, dropout, gated, layerNorm, linear, rmsNorm, scale as scaled } from "../ops/index.ts";
import type { Scope } from "./scope.ts";

export type Layer = (x: Tensor) => Tensor;

/** y = x Wᵀ + b: [..., inputs] -> [..., outputs]. */
export function linearLayer(scope: Scope, inputs: number, outputs: number, bias = true): Layer {
  const weight = scope.matrix("weight", [outputs, inputs]);
  const offset = bias ? scope.vector("bias", [outputs]) : undefined;
  return (x) => adapted(x, linear(x, weight, offset), weight);
}

/** Several linear layers on the same input as one: [..., inputs] -> [..., Σ outputs], in the order of `parts`. */
export function stackedLinear(
  scope: Scope,
  name: string,
  inputs: number,
  parts: readonly { readonly path: string; readonly rows: number }[],
  bias: boolean,
): Layer {
  const weight = scope.stack(`${name}.weight`, parts.map((part) => ({ ...part, path: `${part.path}.weight` })), inputs);
  const offset: Parameter | undefined = bias
    ? scope.stackVectors(`${name}.bias`, parts.map((part) => ({ ...part, path: `${part.path}.bias` })))
    : undefined;
  return (x) => adapted(x, linear(x, weight, offset), weight);
}

/** y [..., N] = x Wᵀ + b with what the adapters of W add to their columns: scale · (dropout(x) Aᵀ) Bᵀ. */
function adapted(x: Tensor, y: Tensor, { adapters }: Parameter): Tensor {
  if (adapters.length === 0) return y;
  const blocks = adapters.map(({ a, b, firstRow, scale, dropout: rate }) => {
    const seen = linear(dropout(x, rate), a); // [..., rank]
    return { of: linear(scaled(seen, scale), b), column: firstRow };
  });
  return addColumns(y, blocks);
}

/** Layer normalisation with weight and bias over the last axis. */
export function layerNormLayer(scope: Scope, width: number, epsilon: number): Layer {
  const weight = scope.vector("weight", [width]);
  const bias = scope.vector("bias", [width]);
  return (x) => layerNorm(x, weight, bias, epsilon);
}

/** Root-mean-square normalisation with a weight over the last axis. */
export function rmsNormLayer(scope: Scope, width: number, epsilon: number): Layer {
  const weight = scope.vector("weight", [width]);
  return (x) => rmsNorm(x, weight, epsilon);
}

/** down(f(up(x))), the perceptron of a vision transformer: [..., D] -> [..., D]. */
export function mlp(scope: Scope, width: number, hidden: number, kind: Activation, bias = true): Layer {
  const up = linearLayer(scope.at("up"), width, hidden, bias);
  const down = linearLayer(scope.at("down"), hidden, width, bias);
  return (x) => down(activation(up(x), kind));
}

/** down(f(gate(x)) · up(x)), the perceptron of a LLaMA-style decoder: [..., D] -> [..., D]. */
export function gatedMlp(scope: Scope, width: number, hidden: number, kind: Activation, bias: boolean): Layer {
  const parts = [{ path: "gate", rows: hidden }, { path: "up", rows: hidden }];
  const gateUp = stackedLinear(scope, "gateUp", width, parts, bias);
  const down = linearLayer(scope.at("down"), hidden, width, bias);
  return (x) => down(gated(gateUp(x), kind));
}
