import { patchTokens as tokenKernels, unfold as unfoldKernels } from "../../kernels/index.ts";
import { expectShape, type Parameter, shapeText, type Tensor } from "../graph/tensor.ts";

/**
 * The patches of every picture as rows: pixels [B, C, H, W] -> [B·g·g', C·P·P] with g = ⌊H/P⌋, g' = ⌊W/P⌋; what does not fill a
 * patch is dropped. A convolution with stride P is then a `linear` with its kernel flattened. Dosovitskiy et al. 2020.
 */
export function unfold(pixels: Tensor, patch: number): Tensor {
  expectShape(pixels.shape.length === 4, () => `unfold: expected pixels [batch, channels, height, width], got ${shapeText(pixels.shape)}`);
  const [batch, channels, height, width] = pixels.shape as [number, number, number, number];
  const gridHeight = Math.floor(height / patch);
  const gridWidth = Math.floor(width / patch);
  const y = pixels.graph.value([batch * gridHeight * gridWidth, channels * patch * patch]);
  pixels.graph.record({
    op: "unfold",
    inputs: [pixels],
    outputs: [y],
    calls: [{ family: unfoldKernels, read: { pixels }, write: { y }, params: { batch, channels, height, width, patchSize: patch, gridHeight, gridWidth } }],
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
  });
  return y;
}
