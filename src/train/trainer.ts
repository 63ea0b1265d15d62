import { LlavaError } from "../../errors/index.ts";
import { Checkpoint } from "../../weights/index.ts";
import { OptionError } from "../generate/errors.ts";
import type { Preparer } from "../generate/prepare.ts";
import type { HostTensor, Runtime } from "../generate/runtime.ts";
import { Graph } from "../graph/graph.ts";
import { Program } from "../graph/program.ts";
import type { Parameter } from "../graph/tensor.ts";
import { Workspace } from "../graph/workspace.ts";
import type { LoadedModel } from "../models/loaded.ts";
import { addInto, columnSums } from "../ops/index.ts";
import { layOutBatch, type PictureLayout, type TrainingInputs } from "./batch.ts";
import type { Batch } from "./data/index.ts";
import { gradients } from "./gradients.ts";
import { traceLoss } from "./loss.ts";
import { makeMaster } from "./master.ts";
import { AdamW, type AdamWOptions } from "./optimizer.ts";
import { checkSchedule, learningRateFactor, type Schedule } from "./schedule.ts";
import { type Part, selectSlots, type Slot } from "./slots.ts";

/** Compiled programs kept for the shapes of their batches. */
const PROGRAM_CACHE = 16;

/** The loss or a gradient is not a number. */
export class DivergedError extends LlavaError {
  override name = "DivergedError";
  constructor(
    message: string,
    readonly step: number,
    readonly sampleIds: readonly string[],
  ) {
    super(message);
  }
}

/** What `Trainer` needs of a model: a `Llava` has it. */
export interface Trainable {
  readonly parts: { readonly loaded: LoadedModel; readonly runtime: Runtime; readonly preparer: Preparer };
}

export interface TrainerOptions {
  /** "vision", "projector", "language" (with embeddings, head and newline), or globs over the checkpoint's tensor names. */
  readonly trainable: readonly string[];
  /** One rate, or one per part. */
  readonly learningRate: number | Readonly<Partial<Record<Part, number>>>;
  readonly optimizer?: AdamWOptions;
  readonly schedule?: Schedule;
  /** Global norm that gradients are clipped to; 0 for none. Default 1. */
  readonly maxGradientNorm?: number;
  /** Micro-batches of a step. Default 1. */
  readonly accumulate?: number;
  /** "tokens": every learning token of a step counts alike (transformers' Trainer today); "microbatch": the mean of means. */
  readonly normalise?: "tokens" | "microbatch";
  /** A part that a step does not reach is left alone, or updated with a gradient of zero (as with LLaVA's dummy picture). */
  readonly parametersWithoutGradient?: "skip" | "zero";
}

export interface StepResult {
  readonly loss: number;
  /** Over everything that learns, before clipping. */
  readonly gradientNorm: number;
  readonly learningRates: Record<Part, number>;
}

type BatchInput = Pick<Batch, "inputIds" | "labels"> & Partial<Omit<Batch, "inputIds" | "labels">>;

interface BatchProgram {
  readonly program: Program;
  /** Slots that the loss reaches. */
  readonly reached: ReadonlySet<Slot>;
}

/**
 * Trains a loaded model in place: the same graph that runs it, with backward operations behind.
 *
 * ```ts
 * const trainer = await Trainer.create(llava, { trainable: ["projector"], learningRate: 1e-3 });
 * const { loss } = await trainer.step(batch);
 * ```
 */
export class Trainer {
  /** Optimizer steps so far. */
  stepCount = 0;
  readonly #programs = new Map<string, Promise<BatchProgram>>();

  private constructor(
    private readonly llava: Trainable,
    private readonly options: TrainerOptions,
    private readonly workspace: Workspace,
    private readonly optimizer: AdamW,
    readonly slots: readonly Slot[],
  ) {}

  /**
   * Makes a trainer. What learns becomes f32 on the GPU; the rest stays as it was loaded.
   * Throws `OptionError`, `GpuMemoryError`.
   */
  static async create(llava: Trainable, options: TrainerOptions): Promise<Trainer> {
    checkOptions(options);
    const { loaded } = llava.parts;
    const checkpoint = await Checkpoint.open(loaded.folder);
    await checkpoint.close();
    const slots = selectSlots(loaded.model.parameters, (name) => checkpoint.info(name).foreignName, options.trainable);
    const workspace = new Workspace(loaded.gpu);
    for (const parameter of new Set(slots.map((slot) => slot.parameter))) await makeMaster(loaded.gpu, workspace, parameter);
    llava.parts.runtime.weightsMoved();
    const optimizer = await AdamW.create(loaded.gpu, workspace, slots, options.optimizer ?? {}, options.maxGradientNorm ?? 1);
    return new Trainer(llava, options, workspace, optimizer, slots);
  }

  /** Mean loss of a batch and its gradients by the checkpoint's tensor names. Nothing is updated. */
  async gradients(batch: BatchInput): Promise<{ loss: number; gradients: Record<string, HostTensor> }> {
    const inputs = await this.#layOut(batch);
    this.optimizer.clear();
    const { loss, reached } = await this.#accumulate(inputs, 1 / Math.max(1, inputs.learning), batch);
    const { gpu } = this.llava.parts.loaded;
    const result: Record<string, HostTensor> = {};
    for (const slot of this.slots) {
      if (!reached.has(slot)) continue;
      const bytes = await gpu.read(this.optimizer.gradient(slot.parameter).buffer, slot.offset * 4, slot.count * 4);
      result[slot.foreignName] = { shape: [...slot.shape], data: new Float32Array(bytes) };
    }
    return { loss, gradients: result };
  }

  /** One optimizer step on a batch, or on several micro-batches. Throws `BatchError`, `DivergedError`. */
  async step(batches: BatchInput | readonly BatchInput[]): Promise<StepResult> {
    const micro = Array.isArray(batches) ? (batches as readonly BatchInput[]) : [batches as BatchInput];
    const wanted = this.options.accumulate ?? 1;
    if (micro.length !== wanted) throw new OptionError("step", `${wanted} micro-batches, as accumulate says`, micro.length);
    const inputs = await Promise.all(micro.map((batch) => this.#layOut(batch)));
    const learning = inputs.reduce((sum, one) => sum + one.learning, 0);
    if (learning === 0) throw new OptionError("step", "at least one label that is learnt", "none");
    this.optimizer.clear();
    let loss = 0;
    const present = new Set<Slot>();
    for (const [i, one] of inputs.entries()) {
      const weight = this.options.normalise === "microbatch" ? 1 / (micro.length * Math.max(1, one.learning)) : 1 / learning;
      const part = await this.#accumulate(one, weight, micro[i]!);
      loss += part.loss;
      for (const slot of part.reached) present.add(slot);
    }
    const updated = this.options.parametersWithoutGradient === "zero" ? this.slots : this.slots.filter((slot) => present.has(slot));
    const learningRates = this.learningRates();
    const gradientNorm = await this.optimizer.step(updated, learningRates);
    if (!Number.isFinite(gradientNorm)) throw this.#diverged("gradient norm", gradientNorm, micro);
    this.stepCount++;
    return { loss, gradientNorm, learningRates };
  }

  /** The learning rates of the next step, by part. */
  learningRates(): Record<Part, number> {
    const { learningRate, schedule } = this.options;
    const factor = schedule ? learningRateFactor(schedule, this.stepCount) : 1;
    const rate = (part: Part) => factor * (typeof learningRate === "number" ? learningRate : (learningRate[part] ?? 0));
    return { vision: rate("vision"), projector: rate("projector"), language: rate("language") };
  }

  /** The value of everything that learns, by the checkpoint's tensor names. */
  async parameters(): Promise<Record<string, HostTensor>> {
    return this.#read((slot) => slot.parameter.block.buffer);
  }

  /** First and second moments of everything that learns, by the checkpoint's tensor names. */
  async moments(): Promise<{ m: Record<string, HostTensor>; v: Record<string, HostTensor> }> {
    return {
      m: await this.#read((slot) => this.optimizer.moments(slot.parameter).m.buffer),
      v: await this.#read((slot) => this.optimizer.moments(slot.parameter).v.buffer),
    };
  }

  /** Frees gradients, moments and programs; the model stays as it is now. */
  async dispose(): Promise<void> {
    for (const program of this.#programs.values()) (await program.catch(() => undefined))?.program.dispose();
    this.#programs.clear();
    await this.optimizer.dispose();
    this.workspace.dispose();
  }

  async #read(buffer: (slot: Slot) => GPUBuffer): Promise<Record<string, HostTensor>> {
    const { gpu } = this.llava.parts.loaded;
    const result: Record<string, HostTensor> = {};
    for (const slot of this.slots) {
      const bytes = await gpu.read(buffer(slot), slot.offset * 4, slot.count * 4);
      result[slot.foreignName] = { shape: [...slot.shape], data: new Float32Array(bytes) };
    }
    return result;
  }

  async #layOut(batch: BatchInput): Promise<TrainingInputs> {
    const { loaded, preparer } = this.llava.parts;
    const layouts: PictureLayout[] = [];
    const pictures = batch.pixelValues?.shape[0] ?? 0;
    const perSample = batch.imagesPerSample ?? [];
    const siblings = perSample.flatMap((count) => Array.from({ length: count }, () => count));
    const { imageSize } = loaded.config.vision ?? { imageSize: 0 };
    for (let i = 0; i < pictures; i++) {
      layouts.push(await preparer.layout(batch.imageSizes?.[i] ?? [imageSize, imageSize], siblings[i] ?? 1));
    }
    return layOutBatch(batch, layouts, loaded.model.rowsPerTile, loaded.config.imageToken);
  }

  /** Adds a batch's gradients to the sums; every learning position counts `weight`. */
  async #accumulate(inputs: TrainingInputs, weight: number, batch: BatchInput): Promise<{ loss: number; reached: ReadonlySet<Slot> }> {
    await this.llava.parts.runtime.reserveTable(inputs.length);
    const { program, reached } = await this.#program(inputs);
    const labels = inputs.values.labels as Uint32Array;
    program.run({ ...inputs.values, weight: new Float32Array(labels.length).fill(weight) });
    const { data } = await program.read("loss");
    const loss = data[0]!;
    if (!Number.isFinite(loss)) throw this.#diverged("loss", loss, [batch]);
    return { loss, reached };
  }

  #program(inputs: TrainingInputs): Promise<BatchProgram> {
    const { samples, length, tiles, rows, taps } = inputs;
    const key = [samples, length, tiles, rows, taps.pack, taps.unpack, taps.newlines].join();
    const kept = this.#programs.get(key) ?? this.#compile(inputs);
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

  async #compile(inputs: TrainingInputs): Promise<BatchProgram> {
    const { loaded, runtime } = this.llava.parts;
    const graph = new Graph();
    const { rows, weight } = traceLoss(graph, loaded.model, loaded.config, inputs, runtime.rotaryTable);
    const wanted = new Set<Parameter>(this.slots.map((slot) => slot.parameter));
    const found = gradients(graph, rows, weight, wanted);
    for (const [parameter, gradient] of found) {
      addInto(gradient, this.optimizer.gradient(parameter as Parameter), { rows: gradient.rows, width: gradient.width });
    }
    const loss = columnSums(graph.view(rows, [rows.size, 1]));
    const program = await Program.compile(graph, this.workspace, { outputs: { loss } });
    return { program, reached: new Set(this.slots.filter(({ parameter }) => found.has(parameter))) };
  }

  #diverged(what: string, value: number, batches: readonly BatchInput[]): DivergedError {
    const ids = batches.flatMap((batch) => batch.sampleIds ?? []);
    const samples = ids.length > 0 ? ` (samples ${ids.join(", ")})` : "";
    return new DivergedError(`step ${this.stepCount}: the ${what} is ${value}${samples}; lower the learning rate, or look at these samples`, this.stepCount, ids);
  }
}

function checkOptions({ trainable, learningRate, schedule, accumulate, normalise, parametersWithoutGradient }: TrainerOptions): void {
  if (!Array.isArray(trainable) || trainable.length === 0) throw new OptionError("trainable", "a list of parts or globs", trainable);
  const rates = typeof learningRate === "number" ? [learningRate] : Object.values(learningRate ?? {});
  if (rates.length === 0 || rates.some((rate) => !(typeof rate === "number" && rate >= 0))) throw new OptionError("learningRate", "a number of at least 0, or one per part", learningRate);
  if (schedule) checkSchedule(schedule);
  if (accumulate !== undefined && !(Number.isInteger(accumulate) && accumulate >= 1)) throw new OptionError("accumulate", "an integer of at least 1", accumulate);
  if (normalise !== undefined && !["tokens", "microbatch"].includes(normalise)) throw new OptionError("normalise", '"tokens" or "microbatch"', normalise);
  if (parametersWithoutGradient !== undefined && !["skip", "zero"].includes(parametersWithoutGradient)) {
    throw new OptionError("parametersWithoutGradient", '"skip" or "zero"', parametersWithoutGradient);
  }
}
