/** Runs a recipe from its model to a folder that transformers opens. */
import { fileExists, joinPath } from "#files";
import { LlavaError } from "../../errors/index.ts";
import type { AdapterDescription } from "../gpu/adapter.ts";
import { Llava } from "../llava.ts";
import { type Batch, loadBatches, Sampler, type SamplerState, SampleReader } from "./data/index.ts";
import { DivergedError } from "./diverged.ts";
import { evaluate, type Evaluation } from "./evaluate.ts";
import type { MemoryPlan } from "./memory.ts";
import { checkOptions } from "./options.ts";
import { padRows } from "./pad-rows.ts";
import { checkAgainst, type CheckedStage, checkRecipe, fileList, inStage, type Recipe, RecipeError, trainerOptions, trainsAdapters } from "./recipe.ts";
import { RunLog } from "./run-log.ts";
import { Speed } from "./speed.ts";
import { checkSame, openState, plainOptions } from "./state.ts";
import { type StepResult, Trainer } from "./trainer.ts";

/** Rows are padded to a multiple of this, so that few shapes of batches occur: each has a program of its own. */
const PAD = 16;
const CHECKPOINT_EVERY = 200;

/** What happened last. */
export type RecipeProgress =
  | { readonly kind: "model"; readonly adapter: AdapterDescription }
  | { readonly kind: "memory"; readonly stage: string; readonly memory: MemoryPlan }
  | ({
      readonly kind: "step";
      readonly stage: string;
      /** Steps of this stage that are done, and all of them. */
      readonly step: number;
      readonly steps: number;
      /** Over the last steps; 0 as long as that is not known. */
      readonly tokensPerSecond: number;
      /** Of the whole run, without evaluations; 0 as long as that is not known. */
      readonly secondsLeft: number;
    } & StepResult)
  | ({ readonly kind: "evaluation"; readonly stage: string; readonly step: number } & Evaluation)
  | { readonly kind: "skipped"; readonly message: string };

export interface RunOptions {
  /** As for `Llava.load`. */
  readonly adapter?: string;
  readonly onProgress?: (progress: RecipeProgress) => void;
  /** Ends the run behind its step, with a checkpoint. */
  readonly signal?: AbortSignal;
  /** Go on from the checkpoint in the output folder. */
  readonly resume?: boolean;
}

export interface RecipeResult {
  /** Whether all stages are done; if not, the run was interrupted and can be resumed. */
  readonly finished: boolean;
  /** Folder of the model, once finished. */
  readonly model: string;
  /** Whether that folder holds adapters alone, for `loadLora`; see the recipe's `merged`. */
  readonly adapters: boolean;
  readonly log: string;
  readonly curve: string;
  /** The last evaluation, if the recipe asks for any. */
  readonly evaluation?: Evaluation;
}

/** Where a run stands, beside what the trainer keeps. */
interface RunData {
  readonly recipe: unknown;
  readonly stage: number;
  readonly sampler: SamplerState;
}

interface StagePlan extends CheckedStage {
  readonly reader: SampleReader;
  readonly steps: number;
}

/**
 * Trains stage after stage. In the output folder: `log.jsonl` (a line for every step and evaluation), `curve.svg`,
 * `checkpoint/`, and in the end `model/` in Hugging Face's layout; after training adapters without `merged`, these alone.
 *
 * When the loss is no number any more the run stops; the last checkpoint is kept. Any other error leaves one of the last step.
 *
 * @throws RecipeError, ResumeError, DivergedError, GpuMemoryError, and what is wrong with model and data
 */
export async function runRecipe(given: Recipe, options: RunOptions = {}): Promise<RecipeResult> {
  const { recipe, stages } = checkRecipe(given);
  const readers = new Map<string, SampleReader>();
  const open = async (files: readonly string[]): Promise<SampleReader> => {
    const key = files.join("\n");
    const reader = readers.get(key) ?? (await SampleReader.open(files, options.signal ? { signal: options.signal } : {}));
    readers.set(key, reader);
    return reader;
  };
  let llava: Llava | undefined;
  try {
    const plans: StagePlan[] = [];
    for (const [i, stage] of stages.entries()) {
      const reader = await open(stage.files);
      const { steps: given, epochs = 1, batchSize, accumulate = 1 } = stage.stage;
      const steps = given ?? Math.max(1, Math.ceil((epochs * Math.ceil(reader.count / batchSize)) / accumulate));
      await inStage(i, () => checkOptions(trainerOptions(stage, steps)));
      plans.push({ ...stage, reader, steps });
    }
    const heldOut = recipe.evaluation && (await open(fileList(recipe.evaluation.data, "evaluation.data")));
    const from = await startOf(recipe, options.resume ?? false);
    const { adapter = "auto", signal, onProgress } = options;
    llava = await Llava.load(recipe.model, { adapter, weights: recipe.weights ?? "auto", ...(signal ? { signal } : {}) });
    onProgress?.({ kind: "model", adapter: llava.adapter });
    await checkAgainst(llava.parts.loaded, plans);
    return await new Run(recipe, plans, llava, heldOut, options).all(from);
  } finally {
    await llava?.dispose();
    for (const reader of readers.values()) await reader.close();
  }
}

const pathsOf = ({ output }: Recipe) => ({
  log: joinPath(output, "log.jsonl"),
  curve: joinPath(output, "curve.svg"),
  checkpoint: joinPath(output, "checkpoint"),
  model: joinPath(output, "model"),
});

/** Where a run begins: undefined for the beginning. Throws unless what lies in the output folder fits to that. */
async function startOf(recipe: Recipe, resume: boolean): Promise<RunData | undefined> {
  const { checkpoint, model } = pathsOf(recipe);
  if (recipe.merged && (await fileExists(joinPath(model, "adapter_config.json")))) {
    throw new RecipeError("merged", `${model} holds adapters alone, which transformers would take before a whole model: move it away`);
  }
  const exists = await fileExists(joinPath(checkpoint, "training.safetensors"));
  if (!resume && exists) {
    throw new RecipeError("output", `${recipe.output} holds the checkpoint of a run: resume it, or name another folder`);
  }
  // Killed before its first checkpoint, a run begins anew.
  if (!exists) return undefined;
  const state = await openState(checkpoint);
  await state.close();
  const data = state.state.data as RunData;
  checkSame(comparable(recipe, data.stage), data.recipe);
  return data;
}

/** What may not change between a run and its continuation: all that the stages up to number `last` depend on. */
function comparable({ output: _output, merged: _merged, checkpointEvery: _every, evaluation: _evaluation, workers: _workers, stages, ...recipe }: Recipe, last: number): unknown {
  return plainOptions({ ...recipe, stages: stages.slice(0, last + 1).map(({ recompute: _recompute, ...stage }) => stage) });
}

/** One run of a recipe. */
class Run {
  readonly #paths: ReturnType<typeof pathsOf>;
  readonly #log: RunLog;
  #evaluation: Evaluation | undefined;
  /** Bad held-out samples are told once. */
  readonly #told = new Set<string>();
  /** Where the sampler stands behind the last step. */
  #position: SamplerState | undefined;

  constructor(
    private readonly recipe: Recipe,
    private readonly plans: readonly StagePlan[],
    private readonly llava: Llava,
    private readonly heldOut: SampleReader | undefined,
    private readonly options: RunOptions,
  ) {
    this.#paths = pathsOf(recipe);
    this.#log = new RunLog(this.#paths, `Loss: ${recipe.output}`, plans);
  }

  async all(from: RunData | undefined): Promise<RecipeResult> {
    const { log, curve, model } = this.#paths;
    const first = from?.stage ?? 0;
    let finished = true;
    try {
      for (const [i, plan] of this.plans.entries()) {
        if (i < first) continue;
        finished = await this.#stage(i, plan, i === first ? from : undefined);
        if (!finished) break;
      }
    } finally {
      await this.#log.draw();
    }
    const adapters = !this.recipe.merged && trainsAdapters(this.recipe);
    return { finished, model, adapters, log, curve, ...(this.#evaluation ? { evaluation: this.#evaluation } : {}) };
  }

  /** Returns whether the stage is done. */
  async #stage(index: number, plan: StagePlan, from: RunData | undefined): Promise<boolean> {
    const { signal } = this.options;
    const settings = trainerOptions(plan, plan.steps);
    const trainer = await inStage(index, () =>
      from ? Trainer.resume(this.llava, this.#paths.checkpoint, settings) : Trainer.create(this.llava, settings));
    try {
      await this.#log.start(from && { stage: index, step: trainer.stepCount });
      try {
        await this.#steps(index, plan, trainer, from);
        if (trainer.stepCount === plan.steps) await this.#finish(index, plan, trainer);
      } catch (error) {
        if (!signal?.aborted || error !== signal.reason) throw error;
      }
      await this.#checkpoint(index, trainer);
      return trainer.stepCount === plan.steps && !signal?.aborted;
    } catch (error) {
      if (error instanceof LlavaError) await this.#log.add({ stage: index, step: trainer.stepCount, error: error.message });
      // Steps are whole or not at all, so that the last one can be gone on from. What is wrong comes first, if that fails too.
      const whole = !(error instanceof DivergedError) && this.#position && trainer.stepCount > 0;
      if (whole) await this.#checkpoint(index, trainer).catch(() => {});
      throw error;
    } finally {
      await trainer.dispose();
    }
  }

  async #finish(index: number, plan: StagePlan, trainer: Trainer): Promise<void> {
    const { signal } = this.options;
    await this.#evaluate(index, plan, trainer);
    if (index === this.plans.length - 1) {
      await trainer.save(this.#paths.model, { merged: this.recipe.merged ?? false, ...(signal ? { signal } : {}) });
    }
  }

  /** Steps until the stage is done or interrupted. */
  async #steps(index: number, plan: StagePlan, trainer: Trainer, from: RunData | undefined): Promise<void> {
    const { collate, stage, reader, steps, name } = plan;
    const { signal, onProgress } = this.options;
    const { batchSize, accumulate = 1, order = "shuffle" } = stage;
    const grouped = order === "length" || order === "modality";
    const sampler = new Sampler(reader.count, {
      batch: batchSize,
      accumulate,
      order,
      ...(grouped ? { lengths: await reader.lengths(signal) } : {}),
      ...(from ? { state: from.sampler } : { seed: (this.recipe.seed ?? 0) + index }),
    });
    this.#position = sampler.state;
    if (trainer.stepCount >= steps) return;
    const report = (error: Error) => onProgress?.({ kind: "skipped", message: error.message });
    const batches = loadBatches(reader, sampler, this.llava, { ...collate, report, workers: this.recipe.workers });
    const speed = new Speed();
    const later = this.plans.slice(index + 1).reduce((sum, next) => sum + next.steps, 0);
    const { every = Infinity } = this.recipe.evaluation ?? {};
    const { checkpointEvery = CHECKPOINT_EVERY } = this.recipe;
    try {
      if (trainer.stepCount > 0 && trainer.stepCount % every === 0) await this.#evaluate(index, plan, trainer);
      while (trainer.stepCount < steps && !signal?.aborted) {
        const micro: Batch[] = [];
        let state = sampler.state;
        for (let i = 0; i < accumulate; i++) {
          const { value } = await batches.next();
          micro.push(value!.batch);
          state = value!.state;
        }
        const padded = micro.map((batch) => padRows(batch, this.llava.config.imageToken, PAD));
        if (speed.steps === 0) onProgress?.({ kind: "memory", stage: name, memory: await trainer.memory(padded[0]!) });
        const result = await trainer.step(padded);
        this.#position = state;
        speed.add(micro.reduce((sum, batch) => sum + tokensOf(batch), 0));
        const step = trainer.stepCount;
        const { tokensPerSecond, secondsPerStep } = speed;
        await this.#log.add({ stage: index, step, ...result });
        onProgress?.({ kind: "step", stage: name, step, steps, tokensPerSecond, secondsLeft: secondsPerStep * (steps - step + later), ...result });
        if (step === steps) break;
        if (step % every === 0) await this.#evaluate(index, plan, trainer);
        if (step % checkpointEvery === 0) await this.#checkpoint(index, trainer);
      }
    } finally {
      await batches.return();
    }
  }

  async #evaluate(index: number, plan: StagePlan, trainer: Trainer): Promise<void> {
    const { evaluation } = this.recipe;
    if (!evaluation || !this.heldOut) return;
    const { samples = this.heldOut.count, questions = 32, maxNewTokens = 64 } = evaluation;
    const { signal, onProgress } = this.options;
    const report = ({ message }: Error): void => {
      if (!this.#told.has(message)) onProgress?.({ kind: "skipped", message: `held-out ${message}` });
      this.#told.add(message);
    };
    this.#evaluation = await evaluate(this.llava, trainer, this.heldOut, {
      collate: { ...plan.collate, report },
      batchSize: plan.stage.batchSize,
      samples,
      questions,
      maxNewTokens,
      pad: (batch) => padRows(batch, this.llava.config.imageToken, PAD),
      ...(signal ? { signal } : {}),
    });
    await this.#log.add({ stage: index, step: trainer.stepCount, evaluation: this.#evaluation });
    onProgress?.({ kind: "evaluation", stage: plan.name, step: trainer.stepCount, ...this.#evaluation });
    await this.#log.draw();
  }

  async #checkpoint(stage: number, trainer: Trainer): Promise<void> {
    const data: RunData = { recipe: comparable(this.recipe, stage), stage, sampler: this.#position! };
    await trainer.checkpoint(this.#paths.checkpoint, { data });
    await this.#log.draw();
  }
}

const tokensOf = ({ attentionMask }: Batch): number => attentionMask.reduce((sum, row) => sum + row.reduce((total, bit) => total + bit, 0), 0);
