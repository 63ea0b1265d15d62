import { matmulNT } from "../../kernels/index.ts";
import { expectShape, type Parameter, shapeText, type Tensor } from "../graph/tensor.ts";

/**
 * y[..., n] = Σ_k x[..., k] · weight[n, k] + bias[n].
 *
 * x [..., K], weight [N, K], bias [N] -> [..., N]. A weight that lies in several buffers takes one call per row block.
 * Throws `ShapeError`.
 */
export function linear(x: Tensor, weight: Parameter, bias?: Parameter): Tensor {
  const [columns, inner] = weight.shape as [number, number];
  expectShape(
    weight.shape.length === 2 && x.width === inner,
    () => `linear: inner sizes must agree, got x ${shapeText(x.shape)} and ${weight.path} ${shapeText(weight.shape)}`,
  );
  expectShape(
    !bias || bias.shape.join() === `${columns}`,
    () => `linear: expected a bias of shape [${columns}], got ${bias?.path} ${shapeText(bias?.shape ?? [])}`,
  );
  const y = x.graph.value([...x.shape.slice(0, -1), columns]);
  x.graph.record({
    op: "linear",
    inputs: bias ? [x, weight, bias] : [x, weight],
    outputs: [y],
    calls: weight.blocks.map((block) => ({
      family: matmulNT,
      // Every binding must be bound: without a bias the kernel never reads this one.
      read: { x, weight: block, bias: bias?.block ?? block },
      write: { y },
      params: {
        rows: x.rows,
        columns: block.shape[0]!,
        inner,
        xStride: inner,
        yStride: columns,
        yOffset: block.firstRow,
        biased: bias ? 1 : 0,
      },
    })),
  });
  return y;
}
