import { Graph } from "../graph/graph.ts";
import { Program } from "../graph/program.ts";
import { ProgramCache } from "../graph/program-cache.ts";
import { Scalar, type Tensor } from "../graph/tensor.ts";
import type { Workspace } from "../graph/workspace.ts";
import { columnSums } from "../ops/index.ts";
import type { TrainingInputs } from "./batch.ts";
import { addGradients } from "./gradient-sums.ts";
import { traceLoss } from "./loss.ts";
import type { Optimizer } from "./optimizer.ts";
import { recomputeLayers } from "./recompute.ts";
import type { Slot } from "./slots.ts";
import type { Trainable } from "./trainable.ts";

/** What a program of a batch gives: the sums of gradients, or only the losses of the positions. */
export type Purpose = "gradients" | "scores" | "scores with dropout";

/** A compiled program of a batch. */
export interface BatchProgram {
  readonly program: Program;
  /** Slots that the loss reaches. */
  readonly reached: readonly Slot[];
}

/** The programs of a trainer, by the shapes of its batches: those used last are kept. */
export class BatchPrograms {
  readonly #programs = new ProgramCache<BatchProgram>();

  constructor(
    private readonly llava: Trainable,
    private readonly workspace: Workspace,
    /** Holds the sums that gradients are added to. */
    private readonly optimizer: Optimizer,
    private readonly recompute: "none" | "layer" = "none",
  ) {}

  /** The program for batches of this shape, compiled if it is not kept. */
  get(inputs: TrainingInputs, purpose: Purpose): Promise<BatchProgram> {
    const { samples, length, tiles, rows, headRows, taps } = inputs;
    const key = [purpose, samples, length, tiles, rows, headRows, taps.pack, taps.unpack, taps.newlines].join();
    return this.#programs.get(key, () => this.#compile(inputs, purpose));
  }

  /** What `get` compiles. Nothing is allocated. */
  trace(inputs: TrainingInputs, purpose: Purpose): { graph: Graph; outputs: Record<string, Tensor>; reached: readonly Slot[] } {
    const { loaded, runtime } = this.llava.parts;
    const graph = new Graph();
    if (purpose !== "scores") graph.dropoutSeed = new Scalar("dropout", 0xffffffff);
    const { rows, weight } = traceLoss(graph, loaded.model, loaded.config, inputs, runtime.rotaryTable);
    if (purpose !== "gradients") return { graph, outputs: { rows }, reached: [] };
    const forward = graph.nodes.length;
    const reached = addGradients(graph, rows, weight, this.optimizer);
    if (this.recompute === "layer") recomputeLayers(graph, forward);
    const loss = columnSums(graph.view(rows, [rows.size, 1]));
    return { graph, outputs: { loss }, reached };
  }

  /** Bytes of the kept programs, without the arenas that they have in common. */
  bytes(): Promise<number> {
    return this.#programs.bytes();
  }

  /** Frees all programs. */
  dispose(): Promise<void> {
    return this.#programs.clear();
  }

  async #compile(inputs: TrainingInputs, purpose: Purpose): Promise<BatchProgram> {
    const { graph, outputs, reached } = this.trace(inputs, purpose);
    return { program: await Program.compile(graph, this.workspace, { outputs }), reached };
  }
}
