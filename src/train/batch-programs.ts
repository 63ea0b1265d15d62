import { Graph } from "../graph/graph.ts";
import { Program } from "../graph/program.ts";
import { type Parameter, Scalar, type Tensor } from "../graph/tensor.ts";
import type { Workspace } from "../graph/workspace.ts";
import { addInto, columnSums } from "../ops/index.ts";
import type { TrainingInputs } from "./batch.ts";
import { gradients } from "./gradients.ts";
import { traceLoss } from "./loss.ts";
import type { AdamW } from "./optimizer.ts";
import type { Slot } from "./slots.ts";
import type { Trainable } from "./trainable.ts";

/** Compiled programs kept for the shapes of their batches. */
const PROGRAM_CACHE = 16;

/** What a program of a batch gives: the sums of gradients, or only the losses of the positions. */
export type Purpose = "gradients" | "scores" | "scores with dropout";

/** A compiled program of a batch. */
export interface BatchProgram {
  readonly program: Program;
  /** Slots that the loss reaches. */
  readonly reached: ReadonlySet<Slot>;
}

/** The programs of a trainer, by the shapes of its batches: those used last are kept. */
export class BatchPrograms {
  readonly #programs = new Map<string, Promise<BatchProgram>>();

  constructor(
    private readonly llava: Trainable,
    private readonly workspace: Workspace,
    /** Holds the sums that gradients are added to. */
    private readonly optimizer: AdamW,
    /** What learns. */
    private readonly slots: readonly Slot[],
  ) {}

  /** The program for batches of this shape, compiled if it is not kept. */
  get(inputs: TrainingInputs, purpose: Purpose): Promise<BatchProgram> {
    const { samples, length, tiles, rows, taps } = inputs;
    const key = [purpose, samples, length, tiles, rows, taps.pack, taps.unpack, taps.newlines].join();
    const kept = this.#programs.get(key) ?? this.#compile(inputs, purpose);
    this.#programs.delete(key);
    this.#programs.set(key, kept);
    kept.catch(() => this.#programs.delete(key));
    if (this.#programs.size > PROGRAM_CACHE) {
      const [oldest, program] = this.#programs.entries().next().value!;
      this.#programs.delete(oldest);
      void program.then((old) => old.program.dispose());
    }
    return kept;
  }

  /** What `get` compiles. Nothing is allocated. */
  trace(inputs: TrainingInputs, purpose: Purpose): { graph: Graph; outputs: Record<string, Tensor>; reached: ReadonlySet<Slot> } {
    const { loaded, runtime } = this.llava.parts;
    const graph = new Graph();
    if (purpose !== "scores") graph.dropoutSeed = new Scalar("dropout", 0xffffffff);
    const { rows, weight } = traceLoss(graph, loaded.model, loaded.config, inputs, runtime.rotaryTable);
    if (purpose !== "gradients") return { graph, outputs: { rows }, reached: new Set() };
    const wanted = new Set<Parameter>(this.slots.map((slot) => slot.parameter));
    const found = gradients(graph, rows, weight, wanted);
    for (const [parameter, gradient] of found) {
      addInto(gradient, this.optimizer.gradient(parameter as Parameter), { rows: gradient.rows, width: gradient.width });
    }
    const loss = columnSums(graph.view(rows, [rows.size, 1]));
    return { graph, outputs: { loss }, reached: new Set(this.slots.filter(({ parameter }) => found.has(parameter))) };
  }

  /** Bytes of the kept programs, without the arenas that they have in common. */
  async bytes(): Promise<number> {
    const programs = await Promise.all([...this.#programs.values()].map(async (kept) => (await kept).program.bytes));
    return programs.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Frees all programs. */
  async dispose(): Promise<void> {
    for (const program of this.#programs.values()) (await program.catch(() => undefined))?.program.dispose();
    this.#programs.clear();
  }

  async #compile(inputs: TrainingInputs, purpose: Purpose): Promise<BatchProgram> {
    const { graph, outputs, reached } = this.trace(inputs, purpose);
    return { program: await Program.compile(graph, this.workspace, { outputs }), reached };
  }
}
