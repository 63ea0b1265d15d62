import type { TrainingBatch } from "./training-batch.ts";
import { ignoreIndex } from "./data/index.ts";

/**
 * The batch with rows of a length that is a multiple of `multiple`, so that batches come in few shapes: each has a program of
 * its own. Nothing attends to the padding.
 *
 * @param imageToken id that stands for image rows, which padding must not be
 */
export function padRows<B extends TrainingBatch>(batch: B, imageToken: number, multiple: number): B {
  const length = Math.ceil(Math.max(...batch.inputIds.map((row) => row.length)) / multiple) * multiple;
  const fill = (rows: number[][], value: number) => rows.map((row) => [...row, ...Array.from({ length: length - row.length }, () => value)]);
  const { inputIds, labels, attentionMask } = batch;
  // Any id but the image's: its embedding is looked up, and nothing more.
  const padding = (row: readonly number[]) => row.find((id) => id !== imageToken) ?? 0;
  return {
    ...batch,
    inputIds: inputIds.map((row) => [...row, ...Array.from({ length: length - row.length }, () => padding(row))]),
    labels: fill(labels, ignoreIndex),
    ...(attentionMask ? { attentionMask: fill(attentionMask, 0) } : {}),
  };
}
