import { patchTokens as tokenKernels, sumBatch, unfold as unfoldKernels, unfoldBackward } from "../../kernels/index.ts";
import type { Contribution } from "../graph/graph.ts";
import { expectShape, type Parameter, shapeText, type Tensor } from "../graph/tensor.ts";
import { dropFirst, sliceRows } from "./rows.ts";

/**
 * The patches of every picture as rows: pixels [B, C, H, W] -> [B·g·g', C·P·P] with g = ⌊H/P⌋, g' = ⌊W/P⌋; what does not fill a
 * patch is dropped. A convolution with stride P is then a `linear` with its kernel flattened. Dosovitskiy et al. 2020.
 */
export function unfold(pixels: Tensor, patch: number): Tensor {
  expectShape(pixels.shape.length === 4, () => `unfold: expected pixels [batch, channels, height, width], got ${shapeText(pixels.shape)}`);
  const [batch, channels, height, width] = pixels.shape as [number, number, number, number];
  const gridHeight = Math.floor(height / patch);
  const gridWidth = Math.floor(width / patch);
  const params = { batch, channels, height, width, patchSize: patch, gridHeight, gridWidth };
  const { graph } = pixels;
  const y = graph.value([batch * gridHeight * gridWidth, channels * patch * patch]);
  graph.record({
    op: "unfold",
    inputs: [pixels],
    outputs: [y],
    calls: [{ family: unfoldKernels, read: { pixels }, write: { y }, params }],
    backward: (dy) => {
      const dpixels = graph.value(pixels.shape);
      const call = { family: unfoldBackward, read: { dy }, write: { dpixels }, params };
      graph.record({ op: "unfoldBackward", inputs: [dy], outputs: [dpixels], calls: [call] });
      return [{ to: pixels, value: dpixels }];
    },
  });
  return y;
}

/**
 * Patch embeddings with the class token in front, if there is one, plus learned positions.
 * patches [B·n, D], class [D], position [p + n, D] -> [B, p + n, D] with p = 1 if there is a class token.
 */
export function patchTokens(patches: Tensor, batch: number, position: Parameter, classToken?: Parameter): Tensor {
  const width = patches.width;
  const count = patches.rows / batch;
  const prefix = classToken ? 1 : 0;
  expectShape(
    position.shape.join() === `${prefix + count},${width}`,
    () => `patchTokens: expected ${position.path} of shape [${prefix + count}, ${width}], got ${shapeText(position.shape)}`,
  );
  const y = patches.graph.value([batch, prefix + count, width]);
  patches.graph.record({
    op: "patchTokens",
    inputs: classToken ? [patches, position, classToken] : [patches, position],
    outputs: [y],
    calls: [
      {
        family: tokenKernels,
        // Without a class token the kernel never reads this binding.
        read: { patches, prefixToken: (classToken ?? position).block, position: position.block },
        write: { y },
        params: { batch, patches: count, prefix, width },
      },
    ],
    backward: (dy, needs) => {
      const gradients: Contribution[] = [];
      if (needs(patches)) gradients.push({ to: patches, value: prefix ? dropFirst(dy, prefix) : dy });
      if (needs(position) || (classToken && needs(classToken))) {
        const total = sumOverBatch(dy);
        gradients.push({ to: position, value: total });
        if (classToken) gradients.push({ to: classToken, value: sliceRows(total, { rows: 1, width }) });
      }
      return gradients;
    },
  });
  return y;
}

/** y[i] = Σ_b x[b, i]: [B, ...] -> [...]. */
function sumOverBatch(x: Tensor): Tensor {
  const [batch, ...shape] = x.shape as [number, ...number[]];
  const y = x.graph.value(shape);
  x.graph.record({ op: "sumOverBatch", inputs: [x], outputs: [y], calls: [{ family: sumBatch, read: { x }, write: { y }, params: { batch, size: y.size } }] });
  return y;
}
