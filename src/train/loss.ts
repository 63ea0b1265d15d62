import type { Graph } from "../graph/graph.ts";
import type { Resident, Tensor } from "../graph/tensor.ts";
import type { ModelConfig } from "../models/config.ts";
import type { LlavaModel } from "../models/llava.ts";
import { add, linearCrossEntropy, mixRows, parameterRow, type RowMix } from "../ops/index.ts";
import { rowMixInput } from "../ops/rows.ts";
import type { TrainingInputs } from "./batch.ts";

/** The loss of a traced batch. */
export interface TracedLoss {
  /** weight · negative log-likelihood of every row of the head, [R]; 0 for padding. */
  readonly rows: Tensor;
  /** The weights of these rows, an input, [R]. */
  readonly weight: Tensor;
}

/**
 * Traces the five steps of a LLaVA on whole sequences, and the cross entropy of the next tokens. Only positions that learn go
 * through the head: with answer-only labels few do, and the head of a large vocabulary costs as much as many layers.
 *
 * @param sizes of the batch; inputs of the program are its `values` and `weight`
 * @param table rotary table
 */
export function traceLoss(graph: Graph, model: LlavaModel, config: ModelConfig, sizes: TrainingInputs, table: Resident): TracedLoss {
  const { samples, length, rows, headRows } = sizes;
  const count = samples * length;
  const ids = graph.input("ids", [count], "u32");
  const images = rows > 0 ? placement(graph, model, config, sizes) : undefined;
  const hidden = model.decode(model.embed(ids, images), { table, batch: samples });
  const gather = rowMixInput(graph, "head", headRows, 1);
  const learning = mixRows(hidden, gather.index, gather.weight, rowMixInput(graph, "spread", count, 1));
  const labels = graph.input("labels", [headRows], "u32");
  const weight = graph.input("weight", [headRows]);
  return { rows: linearCrossEntropy(learning, model.headWeight, labels, weight), weight };
}

/** The image rows of all pictures [R, D], and where they go. */
function placement(graph: Graph, model: LlavaModel, config: ModelConfig, { samples, length, tiles, rows, taps }: TrainingInputs) {
  const { imageSize, channels } = config.vision!;
  const seen = model.see(graph.input("pixels", [tiles, channels, imageSize, imageSize])); // [tiles, rows, D]
  const features = graph.view(seen, [seen.rows, seen.width]);
  const pack = rowMixInput(graph, "pack", rows, taps.pack);
  let packed = mixRows(features, pack.index, pack.weight, rowMixInput(graph, "unpack", features.rows, taps.unpack));
  if (model.newline && taps.newlines > 0) {
    const lines: RowMix = { index: graph.input("newlineRows", [1, taps.newlines], "u32"), weight: graph.input("newlineOnes", [1, taps.newlines]) };
    const newline = rowMixInput(graph, "newline", rows, 1);
    packed = add(packed, mixRows(parameterRow(graph, model.newline), newline.index, newline.weight, lines));
  }
  return {
    rows: packed,
    source: graph.input("source", [samples * length], "u32"),
    inverse: { text: rowMixInput(graph, "text", samples * length, 1), rows: rowMixInput(graph, "row", rows, 1) },
  };
}
