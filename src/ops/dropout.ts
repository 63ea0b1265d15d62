import { dropout as kernels } from "../../kernels/index.ts";
import type { Scalar, Tensor } from "../graph/tensor.ts";

/**
 * y[i] = x[i] / (1 - rate) with probability 1 - rate, otherwise 0, in graphs that have a seed for it; x itself in all
 * others. Srivastava et al. 2014.
 */
export function dropout(x: Tensor, rate: number): Tensor {
  // The position in the trace gives every call of a graph a seed of its own, the same whenever the model is traced.
  const seed = x.graph.dropoutSeed?.plus(x.graph.nodes.length);
  return rate > 0 && seed ? drop(x, rate, seed) : x;
}

function drop(x: Tensor, rate: number, seed: Scalar): Tensor {
  const y = x.graph.value(x.shape);
  x.graph.record({
    op: "dropout",
    inputs: [x],
    outputs: [y],
    calls: [{ family: kernels, read: { x }, write: { y }, params: { size: x.size, rate, seed } }],
    backward: (dy) => [{ to: x, value: drop(dy, rate, seed) }],
  });
  return y;
}
