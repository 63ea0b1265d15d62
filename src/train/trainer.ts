import { LlavaError } from "../../errors/index.ts";
import { Random } from "../../kernels/random.ts";
import { Checkpoint, type FolderSource } from "../../weights/index.ts";
import { OptionError } from "../generate/errors.ts";
import type { Preparer } from "../generate/prepare.ts";
import type { HostTensor, Runtime } from "../generate/runtime.ts";
import { GpuMemoryError } from "../gpu/error.ts";
import { Graph } from "../graph/graph.ts";
import { Program } from "../graph/program.ts";
import { type Parameter, Scalar, type Tensor } from "../graph/tensor.ts";
import { Workspace } from "../graph/workspace.ts";
import type { LoadedModel } from "../models/loaded.ts";
import { addInto, columnSums } from "../ops/index.ts";
import { layOutBatch, type PictureLayout, type TrainingInputs } from "./batch.ts";
import type { Batch } from "./data/index.ts";
import { gradients } from "./gradients.ts";
import { learntSlots, markLearnt } from "./learnt.ts";
import { adaptersOf, adapterSlots, addLora, checkLoraOptions, type LoraOptions, removeLora } from "./lora.ts";
import { saveLora } from "./lora-files.ts";
import { traceLoss } from "./loss.ts";
import { makeMaster } from "./master.ts";
import { firstSamples, type MemoryPlan, parameterBytes, type ProgramBytes, programBytes } from "./memory.ts";
import { AdamW, type AdamWOptions } from "./optimizer.ts";
import { type SaveOptions, saveModel } from "./save.ts";
import { checkSchedule, learningRateFactor, type Schedule } from "./schedule.ts";
import { positionWeights, type SequenceLoss, type SequenceScores, sequenceScores } from "./sequences.ts";
import { type Part, selectSlots, type Slot, slotsOf } from "./slots.ts";
import { checkSame, type OpenState, openState, plainOptions, type RunState, writeState } from "./state.ts";
import type { SaveTarget } from "./target.ts";

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
  /**
   * "vision", "projector", "language" (with embeddings, head and newline), or globs over the checkpoint's tensor names. May
   * be empty with `lora`.
   */
  readonly trainable: readonly string[];
  /** Low-rank adapters to train beside the weights: new ones, or with "loaded" those that `loadLora` or `addLora` put there. */
  readonly lora?: LoraOptions | "loaded";
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

/** What a step needs of a batch. */
export type TrainingBatch = Pick<Batch, "inputIds" | "labels"> & Partial<Omit<Batch, "inputIds" | "labels">>;

/** What a program of a batch gives: the sums of gradients, or only the losses of the positions. */
type Purpose = "gradients" | "scores" | "scores with dropout";

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
  /** After `resume`: what `checkpoint` was given as `data`. */
  data: unknown;
  readonly #programs = new Map<string, Promise<BatchProgram>>();

  private constructor(
    private readonly llava: Trainable,
    private readonly options: TrainerOptions,
    private readonly workspace: Workspace,
    private readonly optimizer: AdamW,
    /** What learns. */
    readonly slots: readonly Slot[],
    /** Every tensor of the model. */
    private readonly allSlots: readonly Slot[],
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
    const foreignName = (name: string) => checkpoint.info(name).foreignName;
    const allSlots = [...loaded.model.parameters.values()].flatMap((parameter) => slotsOf(parameter, foreignName));
    const whole = selectSlots(allSlots, options.trainable);
    const added = typeof options.lora === "object" ? options.lora : undefined;
    if (added) await addLora(llava, added);
    const workspace = new Workspace(loaded.gpu);
    try {
      const slots = options.lora ? [...whole, ...adapterSlots(loaded)] : whole;
      if (slots.length === whole.length && options.lora) throw new OptionError("lora", "a model with adapters", "one without");
      for (const parameter of new Set(slots.map((slot) => slot.parameter))) await makeMaster(loaded.gpu, workspace, parameter);
      llava.parts.runtime.weightsMoved();
      markLearnt(loaded, whole);
      const optimizer = await AdamW.create(loaded.gpu, workspace, slots, options.optimizer ?? {}, options.maxGradientNorm ?? 1);
      return new Trainer(llava, options, workspace, optimizer, slots, allSlots);
    } catch (error) {
      workspace.dispose();
      if (added) removeLora(llava);
      throw error;
    }
  }

  /**
   * Makes a trainer that goes on where `checkpoint` left off: the next steps are bit-equal to those of a run that was not
   * interrupted, on the same adapter. `llava` is loaded as it was for that run.
   *
   * @param folder the folder of the checkpoint
   * @param options the same as then
   * @throws ResumeError if model or options are not the same; as `create`
   */
  static async resume(llava: Trainable, folder: FolderSource, options: TrainerOptions): Promise<Trainer> {
    const kept = await openState(folder);
    try {
      checkSame(plainOptions(options), kept.state.options);
      const trainer = await Trainer.create(llava, options);
      await trainer.#restore(kept).catch(async (error: unknown) => {
        await trainer.dispose();
        throw error;
      });
      return trainer;
    } finally {
      await kept.close();
    }
  }

  /**
   * The loss of a batch, and the gradients of what learns by the checkpoint's (for adapters peft's) tensor names. Nothing
   * is updated.
   *
   * @param objective a loss of whole answers; absent: the mean cross entropy of the learning tokens
   */
  async gradients(batch: TrainingBatch, objective?: SequenceLoss): Promise<{ loss: number; gradients: Record<string, HostTensor> }> {
    const inputs = await this.#layOut(batch);
    const { weights, loss: given } = await this.#weigh([inputs], [batch], objective);
    this.optimizer.clear();
    const { loss: sum, reached } = await this.#accumulate(inputs, weights[0]!, batch, 0);
    const loss = given ?? sum;
    const { gpu } = this.llava.parts.loaded;
    const result: Record<string, HostTensor> = {};
    for (const slot of this.slots) {
      if (!reached.has(slot)) continue;
      const bytes = await gpu.read(this.optimizer.gradient(slot.parameter).buffer, slot.offset * 4, slot.count * 4);
      result[slot.foreignName] = { shape: [...slot.shape], data: new Float32Array(bytes) };
    }
    return { loss, gradients: result };
  }

  /**
   * One optimizer step on a batch, or on several micro-batches. Throws `BatchError`, `DivergedError`.
   *
   * @param objective a loss of whole answers; absent: the mean cross entropy of the learning tokens
   */
  async step(batches: TrainingBatch | readonly TrainingBatch[], objective?: SequenceLoss): Promise<StepResult> {
    const micro = Array.isArray(batches) ? (batches as readonly TrainingBatch[]) : [batches as TrainingBatch];
    const wanted = this.options.accumulate ?? 1;
    if (micro.length !== wanted) throw new OptionError("step", `${wanted} micro-batches, as accumulate says`, micro.length);
    const inputs = await Promise.all(micro.map((batch) => this.#layOut(batch)));
    const learning = inputs.reduce((sum, one) => sum + one.learning, 0);
    if (learning === 0) throw new OptionError("step", "at least one label that is learnt", "none");
    const { weights, loss: given } = await this.#weigh(inputs, micro, objective);
    this.optimizer.clear();
    let sum = 0;
    const present = new Set<Slot>();
    for (const [i, one] of inputs.entries()) {
      const part = await this.#accumulate(one, weights[i]!, micro[i]!, i);
      sum += part.loss;
      for (const slot of part.reached) present.add(slot);
    }
    const updated = this.options.parametersWithoutGradient === "zero" ? this.slots : this.slots.filter((slot) => present.has(slot));
    const learningRates = this.learningRates();
    const gradientNorm = await this.optimizer.step(updated, learningRates);
    if (!Number.isFinite(gradientNorm)) throw this.#diverged("gradient norm", gradientNorm, micro);
    this.stepCount++;
    return { loss: given ?? sum, gradientNorm, learningRates };
  }

  /** The log-probabilities of a batch's answers. Nothing is dropped out. Throws `BatchError`, `DivergedError`. */
  async scores(batch: TrainingBatch): Promise<SequenceScores> {
    return this.#scores(await this.#layOut(batch), batch, undefined);
  }

  /** What the steps on batches like this one take of the GPU's memory. Nothing is allocated. Throws `BatchError`. */
  async memory(batch: TrainingBatch): Promise<MemoryPlan> {
    const { gpu, model } = this.llava.parts.loaded;
    const { arenas, own } = await this.#bytes(batch);
    const parameters = parameterBytes(model.parameters);
    const { gradients: sums, moments } = this.optimizer.bytes;
    const programs = await Promise.all([...this.#programs.values()].map(async (kept) => (await kept).program.bytes));
    const held = this.workspace.arenas.reduce((sum, { size }) => sum + size, 0) + programs.reduce((sum, bytes) => sum + bytes, 0);
    const activations = own + arenas.reduce((sum, bytes) => sum + bytes, 0);
    const inference = gpu.allocated - parameters - sums - moments - held;
    return { parameters, gradients: sums, optimizer: moments, activations, inference, total: parameters + sums + moments + activations + inference };
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

  /**
   * Writes the whole model in Hugging Face's layout, as it is now: what learnt and all the rest. A folder that was there
   * stays whole until everything is written. A model with adapters is written as these alone: see `saveLora`, and
   * `mergeLora` for the whole. Throws `WeightError`.
   */
  async save(target: SaveTarget, options: SaveOptions = {}): Promise<void> {
    const { loaded } = this.llava.parts;
    await (adaptersOf(loaded).length > 0 ? saveLora(this.llava, target, options) : saveModel(loaded, target, options));
  }

  /**
   * Writes everything that `resume` needs into one file of a folder: values of all that learns or learnt, moments, counts
   * of steps. A checkpoint that was there stays whole until the new one is. Throws `WeightError`.
   *
   * @param data kept beside it, as JSON: where the sampler stands
   */
  async checkpoint(target: SaveTarget, { data }: { readonly data?: unknown } = {}): Promise<void> {
    const { loaded } = this.llava.parts;
    const counts = Object.fromEntries([...this.optimizer.counts].map(([slot, count]) => [slot.foreignName, count]));
    const state: RunState = { step: this.stepCount, counts, options: plainOptions(this.options), data };
    await writeState(target, loaded.gpu, this.#kept(), this.optimizer, state);
  }

  /** Frees gradients, moments and programs; the model stays as it is now. */
  async dispose(): Promise<void> {
    for (const program of this.#programs.values()) (await program.catch(() => undefined))?.program.dispose();
    this.#programs.clear();
    await this.optimizer.dispose();
    this.workspace.dispose();
  }

  /** What learns, and what learnt in earlier stages. */
  #kept(): Set<Slot> {
    const mine = new Set(this.slots.map(({ foreignName }) => foreignName));
    const earlier = [...learntSlots(this.llava.parts.loaded).values()].filter(({ foreignName }) => !mine.has(foreignName));
    return new Set([...this.slots, ...earlier]);
  }

  async #restore(kept: OpenState): Promise<void> {
    const { loaded, runtime } = this.llava.parts;
    const mine = new Set(this.slots.map(({ foreignName }) => foreignName));
    const values = new Set(kept.values);
    // What learnt in earlier stages.
    const earlier = this.allSlots.filter(({ foreignName }) => values.has(foreignName) && !mine.has(foreignName));
    for (const parameter of new Set(earlier.map((slot) => slot.parameter))) await makeMaster(loaded.gpu, this.workspace, parameter);
    markLearnt(loaded, earlier);
    runtime.weightsMoved();
    await kept.restore(loaded.gpu, this.#kept(), this.optimizer);
    this.stepCount = kept.state.step;
    this.data = kept.state.data;
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

  async #layOut(batch: TrainingBatch): Promise<TrainingInputs> {
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

  /** What every position's negative log-likelihood counts in the loss; and the loss, if an objective gives it. */
  async #weigh(
    inputs: readonly TrainingInputs[],
    batches: readonly TrainingBatch[],
    objective: SequenceLoss | undefined,
  ): Promise<{ weights: Float32Array[]; loss?: number }> {
    if (objective) {
      const scores: SequenceScores[] = [];
      for (const [i, one] of inputs.entries()) scores.push(await this.#scores(one, batches[i]!, i));
      const { loss, slopes } = objective(scores);
      return { weights: inputs.map((one, i) => positionWeights(slopes[i]!, one)), loss };
    }
    const all = inputs.reduce((sum, { learning }) => sum + learning, 0);
    const byMicroBatch = this.options.normalise === "microbatch";
    const weights = inputs.map(({ samples, length, learning }) => {
      const count = byMicroBatch ? inputs.length * Math.max(1, learning) : Math.max(1, all);
      return new Float32Array(samples * length).fill(1 / count);
    });
    return { weights };
  }

  /** The answers' log-probabilities, with the dropout of a micro-batch of the next step, or without any. */
  async #scores(inputs: TrainingInputs, batch: TrainingBatch, micro: number | undefined): Promise<SequenceScores> {
    await this.llava.parts.runtime.reserveTable(inputs.length);
    const { program } = await this.#program(inputs, micro === undefined ? "scores" : "scores with dropout");
    const weight = new Float32Array(inputs.samples * inputs.length).fill(1);
    program.run({ ...inputs.values, weight }, { dropout: this.#dropoutSeed(micro ?? 0) });
    const scores = sequenceScores((await program.read("rows")).data, inputs);
    for (const value of scores.logProbabilities) if (!Number.isFinite(value)) throw this.#diverged("log-probability of an answer", value, [batch]);
    return scores;
  }

  /** Adds a batch's gradients to the sums; `weights` says what every position counts. */
  async #accumulate(
    inputs: TrainingInputs,
    weight: Float32Array,
    batch: TrainingBatch,
    micro: number,
  ): Promise<{ loss: number; reached: ReadonlySet<Slot> }> {
    await this.llava.parts.runtime.reserveTable(inputs.length);
    const { program, reached } = await this.#program(inputs, "gradients").catch(async (error: unknown) => {
      throw await this.#tooLarge(error, batch);
    });
    program.run({ ...inputs.values, weight }, { dropout: this.#dropoutSeed(micro) });
    const { data } = await program.read("loss");
    const loss = data[0]!;
    if (!Number.isFinite(loss)) throw this.#diverged("loss", loss, [batch]);
    return { loss, reached };
  }

  /** Another one for every micro-batch of every step; the same after `resume`. */
  #dropoutSeed(micro: number): number {
    const { lora, accumulate = 1 } = this.options;
    const first = new Random(typeof lora === "object" ? (lora.seed ?? 0) : 0).bits();
    return new Random(first + this.stepCount * accumulate + micro).bits();
  }

  async #bytes(batch: TrainingBatch): Promise<ProgramBytes> {
    const { graph, outputs } = this.#trace(await this.#layOut(batch), "gradients");
    return programBytes(graph, Object.values(outputs), this.llava.parts.loaded.gpu);
  }

  /** A batch that the GPU has no room for: says how many of its samples fit. */
  async #tooLarge(error: unknown, batch: TrainingBatch): Promise<unknown> {
    if (!(error instanceof GpuMemoryError)) return error;
    const { gpu } = this.llava.parts.loaded;
    const held = this.workspace.arenas.reduce((sum, { size }) => sum + size, 0);
    const sizeOf = async (count: number) => {
      const { arenas, own, largest } = await this.#bytes(firstSamples(batch, count));
      return { bytes: own + arenas.reduce((sum, bytes) => sum + bytes, 0), largest };
    };
    const samples = batch.inputIds.length;
    const { bytes } = await sizeOf(samples);
    // A limit of the adapter is known; of its memory only that what is in use now fits, and that the whole did not.
    const fits = async (count: number): Promise<boolean> => {
      const need = await sizeOf(count);
      return need.largest <= gpu.limits.maxStorageBufferBindingSize && (error.limit !== undefined || need.bytes <= Math.max(held, bytes / 2));
    };
    let fitting = samples - 1;
    while (fitting > 0 && !(await fits(fitting))) fitting--;
    const advice = fitting > 0 ? `${fitting} of them fit: lower the batch size and accumulate instead` : "not even one fits: use shorter samples, fewer tiles or another adapter";
    return new GpuMemoryError(`batch: ${samples} samples need ${bytes} bytes for activations beside the ${gpu.allocated - held} in use; ${advice} (${error.message})`, bytes, error.limit);
  }

  #program(inputs: TrainingInputs, purpose: Purpose): Promise<BatchProgram> {
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

  async #compile(inputs: TrainingInputs, purpose: Purpose): Promise<BatchProgram> {
    const { graph, outputs, reached } = this.#trace(inputs, purpose);
    return { program: await Program.compile(graph, this.workspace, { outputs }), reached };
  }

  #trace(inputs: TrainingInputs, purpose: Purpose): { graph: Graph; outputs: Record<string, Tensor>; reached: ReadonlySet<Slot> } {
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

  #diverged(what: string, value: number, batches: readonly TrainingBatch[]): DivergedError {
    const ids = batches.flatMap((batch) => batch.sampleIds ?? []);
    const samples = ids.length > 0 ? ` (samples ${ids.join(", ")})` : "";
    return new DivergedError(`step ${this.stepCount}: the ${what} is ${value}${samples}; lower the learning rate, or look at these samples`, this.stepCount, ids);
  }
}

/** Throws `OptionError` for settings that no trainer can have. */
export function checkOptions({ trainable, lora, learningRate, schedule, accumulate, normalise, parametersWithoutGradient }: TrainerOptions): void {
  if (!Array.isArray(trainable) || (trainable.length === 0 && !lora)) throw new OptionError("trainable", "a list of parts or globs", trainable);
  const rates = typeof learningRate === "number" ? [learningRate] : Object.values(learningRate ?? {});
  if (rates.length === 0 || rates.some((rate) => !(typeof rate === "number" && rate >= 0))) throw new OptionError("learningRate", "a number of at least 0, or one per part", learningRate);
  if (lora !== undefined && lora !== "loaded") checkLoraOptions(lora);
  if (schedule) checkSchedule(schedule);
  if (accumulate !== undefined && !(Number.isInteger(accumulate) && accumulate >= 1)) throw new OptionError("accumulate", "an integer of at least 1", accumulate);
  if (normalise !== undefined && !["tokens", "microbatch"].includes(normalise)) throw new OptionError("normalise", '"tokens" or "microbatch"', normalise);
  if (parametersWithoutGradient !== undefined && !["skip", "zero"].includes(parametersWithoutGradient)) {
    throw new OptionError("parametersWithoutGradient", '"skip" or "zero"', parametersWithoutGradient);
  }
}
