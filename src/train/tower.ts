import type { FolderSource } from "../../weights/index.ts";
import { OptionError } from "../generate/errors.ts";
import type { HostTensor } from "../generate/runtime.ts";
import { Workspace } from "../graph/workspace.ts";
import type { LoadedModel } from "../models/loaded.ts";
import { Calls } from "../turns.ts";
import { diverged } from "./diverged.ts";
import { markLearnt } from "./learnt.ts";
import { adaptersOf } from "./lora.ts";
import { makeMaster } from "./master.ts";
import { Optimizer } from "./optimizer.ts";
import { restoreRun, resumeRun, writeRun } from "./resume.ts";
import { type SaveOptions, saveModel } from "./save.ts";
import { learningRateFactor } from "./schedule.ts";
import { modelSlots, type Slot } from "./slots.ts";
import type { OpenState } from "./state.ts";
import type { SaveTarget } from "./target.ts";
import { layOutPictures, layOutTower, type TowerBatch, type TowerInputs, type TowerSizes } from "./tower-batch.ts";
import { TowerHeads } from "./tower-heads.ts";
import { checkTowerOptions, type TowerOptions } from "./tower-options.ts";
import { TowerPrograms } from "./tower-programs.ts";
import { checkOpen, type Trainable } from "./trainable.ts";
import { readSlots } from "./transfer.ts";

export interface TowerStepResult {
  /** Sum over all targets of weight · cross entropy. */
  readonly loss: number;
  /** What the targets of every head contribute; 0 for a head without targets. */
  readonly losses: Record<string, number>;
  /** Over everything that learns, before clipping. */
  readonly gradientNorm: number;
  readonly learningRate: number;
}

/**
 * Pre-trains the vision tower of a model in place by labels: supervised classification from patch features, for towers that
 * begin with random weights.
 *
 * The logits of a target are head(layerNorm(mean of its patches' features)), with the features that the connector reads; the
 * loss is the sum over all targets of weight · cross entropy. With weights of 1/B it is a mean over B pictures. A CutMix
 * picture (Yun et al. 2019) is two targets of weights λ/B and (1 - λ)/B, a distribution over classes one target per class,
 * a collage one target per cell with that cell's patches.
 *
 * ```ts
 * const tower = await TowerTrainer.create(llava, { heads: { kind: 95, colour: 11 }, learningRate: 1e-3 });
 * const { loss } = await tower.step({ pixels, targets: [{ head: "kind", picture: 0, label: 7, weight: 1 }] });
 * await tower.save("folder");
 * ```
 */
export class TowerTrainer {
  /** Optimizer steps so far. */
  stepCount = 0;
  /** After `resume`: what `checkpoint` was given as `data`. */
  data: unknown;
  readonly #calls = new Calls("trainer");
  readonly #programs: TowerPrograms;
  readonly #sizes: TowerSizes;

  private constructor(
    private readonly llava: Trainable,
    private readonly options: TowerOptions,
    private readonly workspace: Workspace,
    private readonly heads: TowerHeads,
    private readonly optimizer: Optimizer,
  ) {
    const { loaded } = llava.parts;
    this.#programs = new TowerPrograms(loaded, workspace, heads, optimizer);
    this.#sizes = { vision: loaded.config.vision!, patches: loaded.model.rowsPerTile, heads: options.heads };
  }

  /**
   * Makes a trainer of the tower's layers that the connector reads from, with new heads. They become f32 on the GPU; the
   * rest stays as it was loaded. Throws `OptionError`, `DisposedError`, `GpuMemoryError`.
   */
  static async create(llava: Trainable, options: TowerOptions): Promise<TowerTrainer> {
    checkTowerOptions(options);
    checkOpen(llava);
    const { loaded, runtime } = llava.parts;
    const { gpu, config } = loaded;
    if (!config.vision) throw new OptionError("tower", "a model with a vision tower", "one without");
    if (adaptersOf(loaded).length > 0) throw new OptionError("tower", "a model without adapters (see mergeLora and removeLora)", "one that has some");
    const tower = await towerSlots(loaded);
    const workspace = new Workspace(gpu);
    let heads: TowerHeads | undefined;
    try {
      heads = await TowerHeads.create(gpu, options.heads, config.vision.width * config.featureLayers.length, config.vision.epsilon, options.seed ?? 0);
      for (const parameter of new Set(tower.map((slot) => slot.parameter))) await makeMaster(gpu, workspace, parameter);
      runtime.weightsMoved();
      markLearnt(loaded, tower);
      const optimizer = await Optimizer.create(gpu, workspace, [...tower, ...heads.slots()], options.optimizer ?? {}, options.maxGradientNorm ?? 1);
      return new TowerTrainer(llava, options, workspace, heads, optimizer);
    } catch (error) {
      heads?.dispose();
      workspace.dispose();
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
  static resume(llava: Trainable, folder: FolderSource, options: TowerOptions): Promise<TowerTrainer> {
    return resumeRun(llava, folder, options, () => TowerTrainer.create(llava, options), (trainer, kept) => trainer.#restore(kept));
  }

  /** One optimizer step. Heads without targets in this batch are left alone. Throws `BatchError`, `DivergedError`. */
  step(batch: TowerBatch): Promise<TowerStepResult> {
    return this.#calls.run(async () => {
      const { reached, ...losses } = await this.#accumulate(layOutTower(batch, this.#sizes));
      const learningRate = this.learningRate();
      const gradientNorm = await this.optimizer.step(reached, { vision: learningRate, projector: 0, language: 0 });
      if (!Number.isFinite(gradientNorm)) throw diverged(this.stepCount, "gradient norm", gradientNorm, []);
      this.stepCount++;
      return { ...losses, gradientNorm, learningRate };
    });
  }

  /**
   * The loss of a batch, and the gradients of what it reaches by the checkpoint's tensor names; the heads' are
   * `pretraining.heads.NAME`, `pretraining.norm.weight` and `.bias`. Nothing is updated. Throws `BatchError`, `DivergedError`.
   */
  gradients(batch: TowerBatch): Promise<Pick<TowerStepResult, "loss" | "losses"> & { gradients: Record<string, HostTensor> }> {
    return this.#calls.run(async () => {
      const { reached, ...losses } = await this.#accumulate(layOutTower(batch, this.#sizes));
      return { ...losses, gradients: await readSlots(this.llava.parts.loaded.gpu, reached, ({ parameter }) => this.optimizer.gradient(parameter).buffer) };
    });
  }

  /** The logits [B, classes] of a head, from the mean of all patches of every picture. Throws `BatchError`, `OptionError`. */
  scores(pixels: HostTensor, head: string): Promise<HostTensor> {
    return this.#calls.run(async () => {
      const names = [...this.heads.weights.keys()];
      if (!names.includes(head)) throw new OptionError("head", `one of ${names.join(", ")}`, head);
      const { pictures, values } = layOutPictures(pixels, this.#sizes);
      const { program } = await this.#programs.scores(pictures, head);
      program.run(values);
      const { shape, data } = await program.read("scores");
      return { shape: [...shape], data: data as Float32Array };
    });
  }

  /** The learning rate of the next step. */
  learningRate(): number {
    const { learningRate, schedule } = this.options;
    return learningRate * (schedule ? learningRateFactor(schedule, this.stepCount) : 1);
  }

  /** The value of everything that learns, by the names that `gradients` gives. */
  parameters(): Promise<Record<string, HostTensor>> {
    return this.#calls.run(() => readSlots(this.llava.parts.loaded.gpu, this.optimizer.slots, ({ parameter }) => parameter.block.buffer));
  }

  /**
   * Writes the whole model in Hugging Face's layout, with the tower as it is now and without the heads. A folder that was
   * there stays whole until everything is written. Throws `WeightError`.
   */
  save(target: SaveTarget, options: SaveOptions = {}): Promise<void> {
    return this.#calls.run(() => saveModel(this.llava, target, options));
  }

  /**
   * Writes everything that `resume` needs into one file of a folder: tower, heads, moments, counts of steps. A checkpoint
   * that was there stays whole until the new one is. Throws `WeightError`.
   *
   * @param data kept beside it, as JSON: where the sampler stands
   */
  checkpoint(target: SaveTarget, { data }: { readonly data?: unknown } = {}): Promise<void> {
    return this.#calls.run(() => writeRun(target, this.llava.parts.loaded, this.optimizer, { step: this.stepCount, options: this.options, data }));
  }

  /** Frees heads, gradients, moments and programs; the model stays as it is now. */
  dispose(): Promise<void> {
    return this.#calls.dispose(async () => {
      await this.#programs.dispose();
      await this.optimizer.dispose();
      this.heads.dispose();
      this.workspace.dispose();
    });
  }

  /** Adds a batch's gradients to sums of zero. */
  async #accumulate({ shape, values }: TowerInputs): Promise<Pick<TowerStepResult, "loss" | "losses"> & { reached: readonly Slot[] }> {
    const { program, reached } = await this.#programs.training(shape);
    this.optimizer.clear();
    program.run(values);
    const { data } = await program.read("rows");
    const losses = Object.fromEntries(Object.keys(this.options.heads).map((head) => [head, 0]));
    shape.heads.forEach((head, h) => {
      for (const row of data.subarray(h * shape.rows, (h + 1) * shape.rows)) losses[head]! += row;
    });
    const loss = Object.values(losses).reduce((sum, one) => sum + one, 0);
    if (!Number.isFinite(loss)) throw diverged(this.stepCount, "loss", loss, []);
    return { loss, losses, reached };
  }

  async #restore(kept: OpenState): Promise<void> {
    await restoreRun(kept, this.llava, this.workspace, this.optimizer);
    this.stepCount = kept.state.step;
    this.data = kept.state.data;
  }
}

/** The tensors of the tower that the features depend on: all but the layers behind the last one that the connector reads. */
async function towerSlots(loaded: LoadedModel): Promise<Slot[]> {
  const layers = Math.max(...loaded.config.featureLayers);
  const all = await modelSlots(loaded);
  return all.filter(({ part, name }) => part === "vision" && Number(/^vision\.layers\.(\d+)\./.exec(name)?.[1] ?? -1) < layers);
}
