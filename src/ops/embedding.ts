import { embedding as kernels, embeddingBackward } from "../../kernels/index.ts";
import { expectShape, type Parameter, shapeText, type Tensor } from "../graph/tensor.ts";

/** y[i] = weight[ids[i]]: ids [n] (u32), weight [V, D] -> [n, D]. Throws `ShapeError`. */
export function embedding(ids: Tensor, weight: Parameter): Tensor {
  expectShape(
    ids.type === "u32" && ids.shape.length === 1,
    () => `embedding: expected ids of type u32 and shape [n], got ${ids.type} ${shapeText(ids.shape)}`,
  );
  const width = weight.shape[1]!;
  const y = ids.graph.value([ids.size, width]);
  ids.graph.record({
    op: "embedding",
    inputs: [ids, weight],
    outputs: [y],
    calls: weight.blocks.map((block) => ({
      family: kernels,
      read: { ids, weight: block },
      write: { y },
      params: { rows: ids.size, width, first: block.firstRow, count: block.shape[0]! },
    })),
    backward: (dy, needs) => (needs(weight) ? [{ to: weight, value: scatterAdd(ids, dy, weight.shape) }] : []),
  });
  return y;
}

/** dweight[v] = Σ over i with ids[i] = v of dy[i], in the order of the tokens: the sum is the same on every run. */
function scatterAdd(ids: Tensor, dy: Tensor, shape: readonly number[]): Tensor {
  const [count, width] = shape as [number, number];
  const y = dy.graph.value(shape);
  dy.graph.record({
    op: "scatterAdd",
    inputs: [ids, dy],
    outputs: [y],
    calls: [{ family: embeddingBackward, read: { ids, dy }, write: { y }, params: { rows: ids.size, width, first: 0, count, accumulate: 0 } }],
  });
  return y;
}
