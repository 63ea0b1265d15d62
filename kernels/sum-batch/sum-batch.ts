import { family, kernel } from "../kernel.ts";
import { sumBatchReference } from "./sum-batch.reference.ts";
import code from "./sum-batch.wgsl?raw";
import vec4Code from "./sum-batch-vec4.wgsl?raw";

/**
 * The sum over a batch: the gradient of what every sample shares, such as position embeddings. x [batch, size] ->
 * y [size]. The order of the additions is that of the batch.
 */
export const sumBatch = family({
  name: "sum-batch",
  variants: [
    kernel({
      name: "sum-batch",
      code,
      read: ["x"],
      write: ["y"],
      params: ["batch", "size"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 64),
    }),
    kernel({
      name: "sum-batch-vec4",
      code: vec4Code,
      read: ["x"],
      write: ["y"],
      params: ["batch", "size"],
      needs: [],
      groups: ({ size }) => Math.ceil(size / 256),
      accepts: ({ size }) => size % 4 === 0,
    }),
  ],
  reference: sumBatchReference,
  cost: ({ batch, size }) => ({ flops: batch * size, bytes: 4 * (batch + 1) * size }),
});
