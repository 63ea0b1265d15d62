/** A whole training run as data: which model, which samples, stage after stage. */
import { LlavaError, shown } from "../../errors/index.ts";
import { OptionError } from "../generate/errors.ts";
import type { LoadedModel } from "../models/loaded.ts";
import { type CollateOptions, DataError, type SampleOrder, sampleOrders, trainingTemplates } from "./data/index.ts";
import { checkCollateOptions } from "./data/collate.ts";
import { defaultTargets } from "./lora.ts";
import { linearModules, selectModules } from "./lora-modules.ts";
import { checkOptions, checkRates, type TrainerOptions } from "./options.ts";
import { modelSlots, partOf, selectSlots } from "./slots.ts";

/** A recipe that cannot be run. */
export class RecipeError extends LlavaError {
  override name = "RecipeError";

  constructor(
    /** The field, such as "stages[0].learningRate". */
    readonly field: string,
    /** What was expected, what came, what to do. */
    readonly problem: string,
  ) {
    super(`recipe: ${field}: ${problem}`);
  }
}

/** How samples become tokens: may stand in a recipe for all stages, and in a stage for itself. */
export type RecipeData = Pick<CollateOptions, "placement" | "maxLength" | "system" | "imageFolder" | "onBadSample"> & {
  /** Files in LLaVA's JSON (`.json`, `.jsonl`). */
  readonly data?: string | readonly string[];
  readonly template?: CollateOptions["template"];
};

/** One stage: what learns, how fast, for how long. The other fields are those of `TrainerOptions`. */
export interface RecipeStage extends RecipeData, Omit<TrainerOptions, "schedule"> {
  readonly name?: string;
  /** Either this or `steps`. */
  readonly epochs?: number;
  readonly steps?: number;
  /** Samples of a micro-batch. */
  readonly batchSize: number;
  /** Default: a cosine over the stage's steps with 3 % warm-up, as in LLaVA's scripts. */
  readonly schedule?: { readonly kind: "cosine" | "linear" | "constant"; readonly warmupRatio?: number; readonly warmupSteps?: number };
  /** Default "shuffle". */
  readonly order?: SampleOrder;
}

export interface RecipeEvaluation {
  /** Steps between two evaluations; there is one at the end of every stage besides. */
  readonly every: number;
  /** Held-out samples. */
  readonly data: string | readonly string[];
  /** How many of them the loss is measured on. Default: all. */
  readonly samples?: number;
  /** How many of them are asked, their answers compared letter for letter. Default 32. */
  readonly questions?: number;
  /** Longest answer in tokens. Default 64. */
  readonly maxNewTokens?: number;
}

/** Paths are relative to the working directory; `llava train` makes them relative to the recipe's file. */
export interface Recipe extends RecipeData {
  /** Folder in Hugging Face's layout; absent: the model of the package. */
  readonly model?: string;
  /** How frozen weights are kept; see `Llava.load`. */
  readonly weights?: "auto" | "f32" | "f16";
  readonly stages: readonly RecipeStage[];
  readonly evaluation?: RecipeEvaluation;
  /** Folder for log, curve, checkpoint and model. */
  readonly output: string;
  /** Where stages train adapters (`lora`): whether the folder of the model holds the whole model, or the adapters alone. Default false. */
  readonly merged?: boolean;
  /** Steps between two checkpoints. Default 200. */
  readonly checkpointEvery?: number;
  /** Of the order of samples. Default 0. */
  readonly seed?: number;
  /** Worker threads that decode pictures; see `loadBatches`. */
  readonly workers?: number;
}

/** A recipe's stage with what stands above it filled in. */
export interface CheckedStage {
  readonly name: string;
  readonly files: readonly string[];
  readonly collate: CollateOptions;
  readonly stage: RecipeStage;
}

const dataFields = ["data", "template", "placement", "maxLength", "system", "imageFolder", "onBadSample"] as const;
const trainerFields = [
  "trainable", "lora", "learningRate", "optimizer", "maxGradientNorm", "accumulate", "normalise", "parametersWithoutGradient",
  "recompute",
] as const;
const fields = {
  recipe: [...dataFields, "model", "weights", "stages", "evaluation", "output", "merged", "checkpointEvery", "seed", "workers"],
  stage: [...dataFields, ...trainerFields, "name", "epochs", "steps", "batchSize", "schedule", "order"],
  schedule: ["kind", "warmupRatio", "warmupSteps"],
  optimizer: ["kind", "betas", "eps", "weightDecay", "momentum", "adamWRateFactor"],
  evaluation: ["every", "data", "samples", "questions", "maxNewTokens"],
};

/**
 * Checks a recipe as far as that goes without its model and data, and fills in what stages inherit.
 * Throws `RecipeError` naming the field.
 */
export function checkRecipe(value: unknown): { recipe: Recipe; stages: CheckedStage[] } {
  const recipe = object(value, "all of it", fields.recipe) as unknown as Recipe;
  const { model, weights, output, merged, evaluation, stages, seed, checkpointEvery, workers } = recipe;
  if (model !== undefined) text(model, "model");
  text(output, "output");
  if (weights !== undefined && !["auto", "f32", "f16"].includes(weights)) throw wrong("weights", '"auto", "f32" or "f16"', weights);
  if (seed !== undefined && !Number.isSafeInteger(seed)) throw wrong("seed", "a whole number", seed);
  if (checkpointEvery !== undefined) count(checkpointEvery, "checkpointEvery");
  if (workers !== undefined && !(Number.isSafeInteger(workers) && workers >= 0)) throw wrong("workers", "a whole number of at least 0", workers);
  if (evaluation !== undefined) checkEvaluation(evaluation);
  if (!Array.isArray(stages) || stages.length === 0) throw wrong("stages", "a list of at least one stage", stages);
  const checked = stages.map((stage, i) => checkStage(recipe, stage, `stages[${i}]`, i));
  checkAdapters(checked);
  if (merged !== undefined && typeof merged !== "boolean") throw wrong("merged", "true or false", merged);
  if (merged && !trainsAdapters(recipe)) {
    throw new RecipeError("merged", "expected a stage with lora, got none; leave it out: a model without adapters is always written whole");
  }
  return { recipe, stages: checked };
}

/** Whether any stage trains adapters, which then stay beside the model's weights. */
export function trainsAdapters({ stages }: Recipe): boolean {
  return stages.some(({ lora }) => lora !== undefined);
}

/** Adapters are added by one stage; later ones keep them, or train them further. */
function checkAdapters(stages: readonly CheckedStage[]): void {
  let added: number | undefined;
  for (const [i, { stage: { lora } }] of stages.entries()) {
    if (lora === undefined) continue;
    if (lora === "loaded" && added === undefined) throw wrong(`stages[${i}].lora`, "rank and so on, since no earlier stage has added adapters", lora);
    if (lora !== "loaded" && added !== undefined) throw wrong(`stages[${i}].lora`, `"loaded", to train the adapters of stages[${added}] further, or nothing`, lora);
    added ??= i;
  }
}

/** Checks what only the model tells: whether it has what the stages name. Throws `RecipeError`. */
export async function checkAgainst(loaded: LoadedModel, stages: readonly CheckedStage[]): Promise<void> {
  const slots = await modelSlots(loaded);
  const modules = await linearModules(loaded);
  for (const [i, { stage: { trainable = [], lora, learningRate } }] of stages.entries()) {
    await inStage(i, () => {
      const whole = selectSlots(slots, trainable).map(({ part }) => part);
      const adapted = typeof lora === "object" ? selectModules(modules, lora.targets ?? defaultTargets).map(({ name }) => partOf(name)) : [];
      checkRates(learningRate, [...whole, ...adapted]);
    });
  }
}

/** The settings of a stage's trainer, once its number of steps is known. */
export function trainerOptions({ stage }: CheckedStage, steps: number): TrainerOptions {
  const own = Object.fromEntries(trainerFields.filter((name) => stage[name] !== undefined).map((name) => [name, stage[name]]));
  const schedule = { ...(stage.schedule ?? { kind: "cosine" as const, warmupRatio: 0.03 }), steps };
  return { ...(own as unknown as TrainerOptions), schedule };
}

function checkStage(recipe: Recipe, value: unknown, path: string, index: number): CheckedStage {
  const stage = object(value, path, fields.stage) as unknown as RecipeStage;
  const { name = `stage ${index + 1}`, epochs, steps, batchSize, schedule, optimizer, order } = stage;
  text(name, `${path}.name`);
  if ((epochs === undefined) === (steps === undefined)) {
    throw new RecipeError(`${path}.steps`, `expected either epochs or steps, got ${epochs === undefined ? "neither" : "both"}`);
  }
  if (steps !== undefined) count(steps, `${path}.steps`);
  if (epochs !== undefined && !(typeof epochs === "number" && epochs > 0)) throw wrong(`${path}.epochs`, "a number above 0", epochs);
  count(batchSize, `${path}.batchSize`);
  if (order !== undefined && !sampleOrders.includes(order)) throw wrong(`${path}.order`, `one of ${sampleOrders.join(", ")}`, order);
  if (optimizer !== undefined) object(optimizer, `${path}.optimizer`, fields.optimizer);
  if (schedule !== undefined) object(schedule, `${path}.schedule`, fields.schedule);
  const merged = { ...recipe, ...stage };
  const where = (field: (typeof dataFields)[number]) => (stage[field] === undefined ? field : `${path}.${field}`);
  if (merged.template === undefined) throw wrong(`${path}.template`, `one of ${trainingTemplates.join(", ")}`, undefined);
  const files = fileList(merged.data, where("data"));
  const { template, placement, maxLength, imageFolder, onBadSample } = merged;
  // "plain" has no system text; one for the other stages does not count.
  const system = template === "plain" && stage.system === undefined ? undefined : merged.system;
  const collate = { template, placement, maxLength, system, imageFolder, onBadSample };
  const checked = { name, files, collate, stage };
  inField(path, where, () => {
    if (imageFolder !== undefined) text(imageFolder, where("imageFolder"));
    checkCollateOptions(collate);
    // How many steps epochs are is known with the data.
    checkOptions(trainerOptions(checked, steps ?? Number.MAX_SAFE_INTEGER));
  });
  return checked;
}

function checkEvaluation(value: RecipeEvaluation): void {
  const path = "evaluation";
  const { every, data, ...counts } = object(value, path, fields.evaluation);
  count(every, `${path}.every`);
  fileList(data, `${path}.data`);
  for (const [field, given] of Object.entries(counts)) count(given, `${path}.${field}`);
}

/** Says in which field of the recipe the settings of data and trainer are wrong. */
function inField(path: string, where: (field: (typeof dataFields)[number]) => string, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (error instanceof DataError) throw new RecipeError(where(error.subject as (typeof dataFields)[number]), error.problem);
    throw stageError(error, path);
  }
}

/** Does something with the settings of a stage: a wrong option is a wrong field of the recipe. */
export async function inStage<T>(index: number, use: () => T | Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    throw stageError(error, `stages[${index}]`);
  }
}

/** The error as a recipe has it: a wrong option of the stage at `path` is a wrong field. */
function stageError(error: unknown, path: string): unknown {
  return error instanceof OptionError ? wrong(`${path}.${error.option}`, error.expected, error.got) : error;
}

/** The file names of a data field. */
export function fileList(value: unknown, field: string): readonly string[] {
  const list: unknown = typeof value === "string" ? [value] : value;
  const isList = Array.isArray(list) && list.length > 0 && list.every((file) => typeof file === "string" && file !== "");
  if (!isList) throw wrong(field, "the path of a file in LLaVA's JSON, or a list of them", value);
  return list as string[];
}

function object(value: unknown, path: string, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(path, "an object", value);
  for (const field of Object.keys(value)) {
    if (known.includes(field)) continue;
    const full = path === "all of it" ? field : `${path}.${field}`;
    throw new RecipeError(full, `there is no such field; expected one of ${known.join(", ")}`);
  }
  return value as Record<string, unknown>;
}

function text(value: unknown, field: string): void {
  if (typeof value !== "string" || value === "") throw wrong(field, "a text", value);
}

function count(value: unknown, field: string): void {
  if (!(Number.isSafeInteger(value) && (value as number) >= 1)) throw wrong(field, "a whole number of at least 1", value);
}

function wrong(field: string, expected: string, got: unknown): RecipeError {
  return new RecipeError(field, `expected ${expected}, got ${shown(got)}`);
}
