import { matmulNN, matmulNT, matmulTN, sumRows } from "../../kernels/index.ts";
import type { Contribution } from "../graph/graph.ts";
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
    backward: (dy, needs) => {
      const gradients: Contribution[] = [];
      if (needs(x)) gradients.push({ to: x, value: linearBackwardX(dy, weight, x.shape) });
      if (needs(weight)) gradients.push({ to: weight, value: outerProducts(dy, x) });
      if (bias && needs(bias)) gradients.push({ to: bias, value: columnSums(dy) });
      return gradients;
    },
  });
  return y;
}

/** dx[..., k] = Σ_n dy[..., n] · weight[n, k]. */
export function linearBackwardX(dy: Tensor, weight: Parameter, shape: readonly number[]): Tensor {
  const [columns, inner] = weight.shape as [number, number];
  const dx = dy.graph.value(shape);
  dy.graph.record({
    op: "linearBackwardX",
    inputs: [dy, weight],
    outputs: [dx],
    calls: weight.blocks.map((block, i) => ({
      family: matmulNN,
      read: { x: dy, weight: block },
      write: { y: dx },
      params: {
        rows: dy.rows,
        columns: inner,
        inner: block.shape[0]!,
        xStride: columns,
        xOffset: block.firstRow,
        yStride: inner,
        accumulate: i > 0 ? 1 : 0,
      },
    })),
  });
  return dx;
}

/** dweight[n, k] = Σ_m dy[m, n] · x[m, k], added to `into` if given: dy [..., N], x [..., K] -> [N, K]. */
export function outerProducts(dy: Tensor, x: Tensor, into?: Tensor): Tensor {
  const dw = into ?? dy.graph.value([dy.width, x.width]);
  dy.graph.record({
    op: "outerProducts",
    inputs: [dy, x],
    outputs: [dw],
    calls: [
      {
        family: matmulTN,
        read: { x: dy, z: x },
        write: { y: dw },
        params: { rows: dy.rows, columns: dy.width, width: x.width, xStride: dy.width, xOffset: 0, zStride: x.width, yStride: x.width, yRow: 0, accumulate: into ? 1 : 0 },
      },
    ],
  });
  return dw;
}

/** y[c] = Σ_r x[r, c]: [..., C] -> [C]. */
export function columnSums(x: Tensor): Tensor {
  const y = x.graph.value([x.width]);
  x.graph.record({
    op: "columnSums",
    inputs: [x],
    outputs: [y],
    calls: [{ family: sumRows, read: { x }, write: { y }, params: { rows: x.rows, width: x.width, xStride: x.width, xOffset: 0, yOffset: 0, accumulate: 0 } }],
  });
  return y;
}
