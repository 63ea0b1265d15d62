import { Random } from "../../kernels/random.ts";
import type { FolderSource } from "../../weights/index.ts";
import { OptionError } from "../generate/errors.ts";
import type { HostTensor } from "../generate/runtime.ts";
import { GpuMemoryError } from "../gpu/error.ts";
import { Workspace } from "../graph/workspace.ts";
import { Calls } from "../turns.ts";
import { layOut, tokenWeights, type TrainingInputs } from "./batch.ts";
import { BatchPrograms } from "./batch-programs.ts";
import { diverged } from "./diverged.ts";
import { markLearnt } from "./learnt.ts";
import { adaptersOf, adapterSlots, addLora, removeLora } from "./lora.ts";
import { saveLora } from "./lora-files.ts";
import { makeMaster } from "./master.ts";
import { arenaBytes, batchTooLarge, type MemoryPlan, parameterBytes, type ProgramBytes, programBytes } from "./memory.ts";
import { Optimizer } from "./optimizer.ts";
import { checkOptions, checkRates, stepOptions, type TrainerOptions } from "./options.ts";
import { restoreRun, resumeRun, writeRun } from "./resume.ts";
import { checkSaveOptions, type SaveOptions, saveModel } from "./save.ts";
import { learningRateFactor } from "./schedule.ts";
import { positionWeights, type SequenceLoss, type SequenceScores, sequenceScores } from "./sequences.ts";
import { modelSlots, type Part, selectSlots, type Slot } from "./slots.ts";
import type { OpenState } from "./state.ts";
import type { SaveTarget } from "./target.ts";
import { checkOpen, type Trainable } from "./trainable.ts";
import type { TrainingBatch } from "./training-batch.ts";
import { readSlots } from "./transfer.ts";

export interface StepResult {
  readonly loss: number;
  /** Over everything that learns, before clipping. */
  readonly gradientNorm: number;
  readonly learningRates: Record<Part, number>;
}

/**
 * Trains a loaded model in place: the same graph that runs it, with backward operations behind.
 *
 * ```ts
 * const trainer = await Trainer.create(llava, { trainable: ["projector"], learningRate: 1e-3 });
 * const { loss } = await trainer.step(batch);
 * ```
 *
 * Calls wait for one another; those after `dispose` reject with `DisposedError`.
 */
export class Trainer {
  /** Optimizer steps so far. */
  stepCount = 0;
  /** After `resume`: what `checkpoint` was given as `data`. */
  data: unknown;
  readonly #calls = new Calls("trainer");
  readonly #programs: BatchPrograms;

  private constructor(
    private readonly llava: Trainable,
    private readonly options: TrainerOptions,
    private readonly workspace: Workspace,
    private readonly optimizer: Optimizer,
    /** What learns. */
    readonly slots: readonly Slot[],
  ) {
    this.#programs = new BatchPrograms(llava, workspace, optimizer, options.recompute);
  }

  /**
   * Makes a trainer. What learns becomes f32 on the GPU; the rest stays as it was loaded.
   * Throws `OptionError`, `DisposedError`, `GpuMemoryError`.
   */
  static async create(llava: Trainable, options: TrainerOptions): Promise<Trainer> {
    checkOptions(options);
    checkOpen(llava);
    const { loaded } = llava.parts;
    const whole = selectSlots(await modelSlots(loaded), options.trainable ?? []);
    const added = typeof options.lora === "object" ? options.lora : undefined;
    if (added) await addLora(llava, added);
    const workspace = new Workspace(loaded.gpu);
    try {
      const slots = options.lora ? [...whole, ...adapterSlots(loaded)] : whole;
      if (slots.length === whole.length && options.lora) throw new OptionError("lora", "a model with adapters", "one without");
      checkRates(options.learningRate, slots.map(({ part }) => part));
      for (const parameter of new Set(slots.map((slot) => slot.parameter))) await makeMaster(loaded.gpu, workspace, parameter);
      llava.parts.runtime.weightsMoved();
      markLearnt(loaded, whole);
      const optimizer = await Optimizer.create(loaded.gpu, workspace, slots, options.optimizer ?? {}, options.maxGradientNorm ?? 1);
      return new Trainer(llava, options, workspace, optimizer, slots);
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
   * @param options the same as then, but for `recompute`
   * @throws ResumeError if model or options are not the same; as `create`
   */
  static resume(llava: Trainable, folder: FolderSource, options: TrainerOptions): Promise<Trainer> {
    return resumeRun(llava, folder, stepOptions(options), () => Trainer.create(llava, options), (trainer, kept) => trainer.#restore(kept));
  }

  /**
   * The loss of a batch, and the gradients of what learns by the checkpoint's (for adapters peft's) tensor names. Nothing
   * is updated. Throws `BatchError`, `DivergedError`.
   *
   * @param objective a loss of whole answers; absent: the mean cross entropy of the learning tokens
   */
  gradients(batch: TrainingBatch, objective?: SequenceLoss): Promise<{ loss: number; gradients: Record<string, HostTensor> }> {
    return this.#calls.run(async () => {
      const inputs = await layOut(batch, this.llava.parts);
      const { weights, loss: given } = await this.#weigh([inputs], [batch], objective);
      this.optimizer.clear();
      const { loss: sum, reached } = await this.#accumulate(inputs, weights[0]!, batch, 0);
      const loss = given ?? sum;
      const { gpu } = this.llava.parts.loaded;
      return { loss, gradients: await readSlots(gpu, reached, ({ parameter }) => this.optimizer.gradient(parameter).buffer) };
    });
  }

  /**
   * One optimizer step on a batch, or on several micro-batches. Throws `BatchError`, `DivergedError`.
   *
   * @param objective a loss of whole answers; absent: the mean cross entropy of the learning tokens
   */
  step(batches: TrainingBatch | readonly TrainingBatch[], objective?: SequenceLoss): Promise<StepResult> {
    return this.#calls.run(async () => {
      const micro = Array.isArray(batches) ? (batches as readonly TrainingBatch[]) : [batches as TrainingBatch];
      const wanted = this.options.accumulate ?? 1;
      if (micro.length !== wanted) throw new OptionError("step", `${wanted} micro-batches, as accumulate says`, micro.length);
      const inputs = await Promise.all(micro.map((batch) => layOut(batch, this.llava.parts)));
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
      const learningRates = this.learningRates();
      const gradientNorm = await this.optimizer.step(this.#updated(present), learningRates);
      if (!Number.isFinite(gradientNorm)) throw diverged(this.stepCount, "gradient norm", gradientNorm, micro);
      this.stepCount++;
      return { loss: given ?? sum, gradientNorm, learningRates };
    });
  }

  /** The log-probabilities of a batch's answers. Nothing is dropped out. Throws `BatchError`, `DivergedError`. */
  scores(batch: TrainingBatch): Promise<SequenceScores> {
    return this.#calls.run(async () => this.#scores(await layOut(batch, this.llava.parts), batch, undefined));
  }

  /** What the steps on batches like this one take of the GPU's memory. Nothing is allocated. Throws `BatchError`. */
  memory(batch: TrainingBatch): Promise<MemoryPlan> {
    return this.#calls.run(async () => {
      const { gpu, model } = this.llava.parts.loaded;
      const { graph, outputs, reached } = this.#programs.trace(await layOut(batch, this.llava.parts), "gradients");
      const { arenas, own } = programBytes(graph, Object.values(outputs), gpu);
      const parameters = parameterBytes(model.parameters);
      const { gradients: sums, moments } = this.optimizer.bytes;
      const update = await this.optimizer.programBytes(this.#updated(reached));
      const held = arenaBytes(this.workspace) + (await this.#programs.bytes()) + update.held;
      // Both programs run in the same arenas, one after the other.
      const most = Math.max(arenas.length, update.planned.arenas.length);
      const shared = Array.from({ length: most }, (_, i) => Math.max(arenas[i] ?? 0, update.planned.arenas[i] ?? 0));
      const activations = own + update.planned.own + shared.reduce((sum, bytes) => sum + bytes, 0);
      const inference = gpu.allocated - parameters - sums - moments - held;
      return { parameters, gradients: sums, optimizer: moments, activations, inference, total: parameters + sums + moments + activations + inference };
    });
  }

  /** The learning rates of the next step, by part. */
  learningRates(): Record<Part, number> {
    const { learningRate, schedule } = this.options;
    const factor = schedule ? learningRateFactor(schedule, this.stepCount) : 1;
    const rate = (part: Part) => factor * (typeof learningRate === "number" ? learningRate : (learningRate[part] ?? 0));
    return { vision: rate("vision"), projector: rate("projector"), language: rate("language") };
  }

  /** The value of everything that learns, by the checkpoint's tensor names. */
  parameters(): Promise<Record<string, HostTensor>> {
    return this.#calls.run(() => readSlots(this.llava.parts.loaded.gpu, this.slots, ({ parameter }) => parameter.block.buffer));
  }

  /** First and second moments of everything that learns, by the checkpoint's tensor names; what Muon steps has no second. */
  moments(): Promise<{ m: Record<string, HostTensor>; v: Record<string, HostTensor> }> {
    return this.#calls.run(async () => {
      const { gpu } = this.llava.parts.loaded;
      const withSecond = this.slots.filter(({ parameter }) => this.optimizer.moments(parameter).v);
      return {
        m: await readSlots(gpu, this.slots, ({ parameter }) => this.optimizer.moments(parameter).m.buffer),
        v: await readSlots(gpu, withSecond, ({ parameter }) => this.optimizer.moments(parameter).v!.buffer),
      };
    });
  }

  /**
   * Writes the whole model in Hugging Face's layout, as it is now: what learnt and all the rest. A folder that was there
   * stays whole until everything is written. Of a model with adapters these alone are written (see `saveLora`), unless
   * `merged` asks for the whole. The model on the GPU stays as it is. Throws `OptionError`, `WeightError`.
   */
  save(target: SaveTarget, options: SaveOptions = {}): Promise<void> {
    return this.#calls.run(async () => {
      checkSaveOptions(options);
      const { merged = false, ...others } = options;
      const alone = !merged && adaptersOf(this.llava.parts.loaded).length > 0;
      await (alone ? saveLora(this.llava, target, others) : saveModel(this.llava, target, options));
    });
  }

  /**
   * Writes everything that `resume` needs into one file of a folder: values of all that learns or learnt, moments, counts
   * of steps. A checkpoint that was there stays whole until the new one is. Throws `OptionError`, `WeightError`.
   *
   * @param data kept beside it, as JSON: where the sampler stands
   */
  checkpoint(target: SaveTarget, { data }: { readonly data?: unknown } = {}): Promise<void> {
    return this.#calls.run(async () => {
      const state = { step: this.stepCount, options: stepOptions(this.options), data };
      await writeRun(target, this.llava.parts.loaded, this.optimizer, state);
    });
  }

  /** Frees gradients, moments and programs; the model stays as it is now. */
  dispose(): Promise<void> {
    return this.#calls.dispose(async () => {
      await this.#programs.dispose();
      await this.optimizer.dispose();
      this.workspace.dispose();
    });
  }

  async #restore(kept: OpenState): Promise<void> {
    await restoreRun(kept, this.llava, this.workspace, this.optimizer);
    this.stepCount = kept.state.step;
    this.data = kept.state.data;
  }

  /** What a step updates, where the loss reaches these slots. */
  #updated(reached: Iterable<Slot>): readonly Slot[] {
    const present = new Set(reached);
    return this.options.parametersWithoutGradient === "zero" ? this.slots : this.slots.filter((slot) => present.has(slot));
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
    return { weights: tokenWeights(inputs, this.options.normalise ?? "tokens") };
  }

  /** The answers' log-probabilities, with the dropout of a micro-batch of the next step, or without any. */
  async #scores(inputs: TrainingInputs, batch: TrainingBatch, micro: number | undefined): Promise<SequenceScores> {
    await this.llava.parts.runtime.reserveTable(inputs.length);
    const { program } = await this.#programs.get(inputs, micro === undefined ? "scores" : "scores with dropout");
    const weight = new Float32Array(inputs.headRows).fill(1);
    program.run({ ...inputs.values, weight }, { dropout: this.#dropoutSeed(micro ?? 0) });
    const scores = sequenceScores((await program.read("rows")).data, inputs);
    for (const value of scores.logProbabilities) if (!Number.isFinite(value)) throw diverged(this.stepCount, "log-probability of an answer", value, [batch]);
    return scores;
  }

  /** Adds a batch's gradients to the sums; `weights` says what every position counts. */
  async #accumulate(
    inputs: TrainingInputs,
    weight: Float32Array,
    batch: TrainingBatch,
    micro: number,
  ): Promise<{ loss: number; reached: readonly Slot[] }> {
    await this.llava.parts.runtime.reserveTable(inputs.length);
    const { program, reached } = await this.#programs.get(inputs, "gradients").catch(async (error: unknown) => {
      if (!(error instanceof GpuMemoryError)) throw error;
      throw await batchTooLarge(error, batch, this.llava.parts.loaded.gpu, this.workspace, (part) => this.#bytes(part));
    });
    program.run({ ...inputs.values, weight }, { dropout: this.#dropoutSeed(micro) });
    const { data } = await program.read("loss");
    const loss = data[0]!;
    if (!Number.isFinite(loss)) throw diverged(this.stepCount, "loss", loss, [batch]);
    return { loss, reached };
  }

  /** Another one for every micro-batch of every step; the same after `resume`. */
  #dropoutSeed(micro: number): number {
    const { lora, accumulate = 1 } = this.options;
    const first = new Random(typeof lora === "object" ? (lora.seed ?? 0) : 0).bits();
    return new Random(first + this.stepCount * accumulate + micro).bits();
  }

  async #bytes(batch: TrainingBatch): Promise<ProgramBytes> {
    const { graph, outputs } = this.#programs.trace(await layOut(batch, this.llava.parts), "gradients");
    return programBytes(graph, Object.values(outputs), this.llava.parts.loaded.gpu);
  }
}
