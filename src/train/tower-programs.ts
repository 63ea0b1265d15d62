import { Graph } from "../graph/graph.ts";
import { Program } from "../graph/program.ts";
import { ProgramCache } from "../graph/program-cache.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Workspace } from "../graph/workspace.ts";
import type { LoadedModel } from "../models/loaded.ts";
import { concat, linear, linearCrossEntropy, mixRows, sliceRows } from "../ops/index.ts";
import { rowMixInput } from "../ops/rows.ts";
import { addGradients } from "./gradient-sums.ts";
import type { Optimizer } from "./optimizer.ts";
import type { TowerShape } from "./tower-batch.ts";
import type { BatchProgram } from "./batch-programs.ts";
import type { TowerHeads } from "./tower-heads.ts";

/** The programs of a tower trainer, by the shapes of its batches. */
export class TowerPrograms {
  readonly #programs = new ProgramCache<BatchProgram>();

  constructor(
    private readonly loaded: LoadedModel,
    private readonly workspace: Workspace,
    private readonly heads: TowerHeads,
    /** Holds the sums that gradients are added to. */
    private readonly optimizer: Optimizer,
  ) {}

  /**
   * The program for batches of this shape: it adds to the gradients, and its output "rows" holds weight · cross entropy of
   * every row, one head after the other.
   */
  training(shape: TowerShape): Promise<BatchProgram> {
    const { pictures, heads, rows, taps, uses } = shape;
    return this.#programs.get(["training", pictures, rows, taps, uses, ...heads].join(), () => this.#compileTraining(shape));
  }

  /** The program for the scores of a head: its output "scores" holds the logits [pictures, classes]. */
  scores(pictures: number, head: string): Promise<BatchProgram> {
    return this.#programs.get(["scores", pictures, head].join(), () => this.#compileScores(pictures, head));
  }

  /** Frees all programs. */
  dispose(): Promise<void> {
    return this.#programs.clear();
  }

  async #compileTraining(shape: TowerShape): Promise<BatchProgram> {
    const graph = new Graph();
    const rows = traceTowerLoss(graph, this.loaded, this.heads, shape);
    // The backward rule of `linearCrossEntropy` is that of the sum of its rows: it does not look at what comes from above.
    const reached = addGradients(graph, rows, rows, this.optimizer);
    const program = await Program.compile(graph, this.workspace, { outputs: { rows } });
    return { program, reached };
  }

  async #compileScores(pictures: number, head: string): Promise<BatchProgram> {
    const { loaded, heads } = this;
    const graph = new Graph();
    const features = traceFeatures(graph, loaded, pictures);
    const pool = rowMixInput(graph, "pool", pictures, loaded.model.rowsPerTile);
    const scores = linear(heads.norm(mixRows(features, pool.index, pool.weight)), heads.weights.get(head)!);
    return { program: await Program.compile(graph, this.workspace, { outputs: { scores } }), reached: [] };
  }
}

/**
 * Traces weight · cross entropy(head(norm(mean of some patches' features)), label) for all rows of all heads,
 * [heads · rows, 1]. Inputs: pixels; the tables pool [heads · rows, taps] and, for the gradient, spread [pictures · patches,
 * uses]; labels and weight of every head, [rows].
 */
function traceTowerLoss(graph: Graph, loaded: LoadedModel, heads: TowerHeads, shape: TowerShape): Tensor {
  const { rows, taps, uses } = shape;
  const features = traceFeatures(graph, loaded, shape.pictures); // [B·P, W]
  const pool = rowMixInput(graph, "pool", shape.heads.length * rows, taps);
  const pooled = mixRows(features, pool.index, pool.weight, rowMixInput(graph, "spread", features.rows, uses)); // [heads · rows, W]
  const hidden = heads.norm(pooled);
  const losses = shape.heads.map((head, h) => {
    const own = sliceRows(hidden, { rows, width: hidden.width, fromRow: h * rows });
    const loss = linearCrossEntropy(own, heads.weights.get(head)!, graph.input(`labels ${head}`, [rows], "u32"), graph.input(`weight ${head}`, [rows]));
    return graph.view(loss, [rows, 1]);
  });
  return concat(losses, "rows");
}

/** The rows of all pictures that the connector reads, [B·P, W]. */
function traceFeatures(graph: Graph, { model, config }: LoadedModel, pictures: number): Tensor {
  const { channels, imageSize } = config.vision!;
  const features = model.features(graph.input("pixels", [pictures, channels, imageSize, imageSize])); // [B, P, W]
  return graph.view(features, [features.rows, features.width]);
}
