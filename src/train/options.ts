import { OptionError } from "../generate/errors.ts";
import { checkOptionNames } from "../generate/options.ts";
import { checkLoraOptions, type LoraOptions } from "./lora.ts";
import { checkOptimizerOptions, type OptimizerOptions } from "./optimizer-options.ts";
import { checkSchedule, type Schedule } from "./schedule.ts";
import { type Part, parts } from "./slots.ts";

/** How a `Trainer` trains. */
export interface TrainerOptions {
  /**
   * "vision", "projector", "language" (with embeddings, head and newline), or globs over the checkpoint's tensor names. May
   * be left out, or empty, with `lora`.
   */
  readonly trainable?: readonly string[];
  /** Low-rank adapters to train beside the weights: new ones, or with "loaded" those that `loadLora` or `addLora` put there. */
  readonly lora?: LoraOptions | "loaded";
  /** One rate, or one per part: of those that do not learn it may be left out. */
  readonly learningRate: number | Readonly<Partial<Record<Part, number>>>;
  readonly optimizer?: OptimizerOptions;
  readonly schedule?: Schedule;
  /** Global norm that gradients are clipped to; 0 for none. Default 1. */
  readonly maxGradientNorm?: number;
  /** Micro-batches of a step. Default 1. */
  readonly accumulate?: number;
  /** "tokens": every learning token of a step counts alike (transformers' Trainer today); "microbatch": the mean of means. */
  readonly normalise?: "tokens" | "microbatch";
  /** A part that a step does not reach is left alone, or updated with a gradient of zero (as with LLaVA's dummy picture). */
  readonly parametersWithoutGradient?: "skip" | "zero";
  /**
   * "layer": what the layers of decoder and vision tower compute inside is not kept for the backward pass but computed again
   * there, layer by layer (gradient checkpointing, Chen et al. 2016). Takes much less memory (see `Trainer.memory`) and up to
   * a third more time; the gradients are bit-equal, so a run may be resumed with another setting. Default "none".
   */
  readonly recompute?: "none" | "layer";
}

/** The settings that the steps depend on; the others may change when a run is resumed. */
export function stepOptions({ recompute: _recompute, trainable = [], ...options }: TrainerOptions): Omit<TrainerOptions, "recompute"> {
  return { trainable, ...options };
}

const NAMES: readonly (keyof TrainerOptions)[] = [
  "trainable", "lora", "learningRate", "optimizer", "schedule", "maxGradientNorm", "accumulate", "normalise", "parametersWithoutGradient",
  "recompute",
];

/** Throws `OptionError` for settings that no trainer can have. */
export function checkOptions(options: TrainerOptions): void {
  checkOptionNames(options, NAMES);
  const { trainable = [], lora, learningRate, optimizer, schedule, maxGradientNorm, accumulate, normalise, parametersWithoutGradient, recompute } = options;
  if (typeof lora === "string" && lora !== "loaded") throw new OptionError("lora", 'an object or "loaded"', lora);
  if (lora !== undefined && lora !== "loaded") checkLoraOptions(lora);
  const isList = Array.isArray(trainable) && trainable.every((entry) => typeof entry === "string");
  if (!isList || (trainable.length === 0 && lora === undefined)) throw new OptionError("trainable", "a list of parts or globs (none only with lora)", trainable);
  checkLearningRate(learningRate);
  checkRates(learningRate, knownParts(options));
  if (optimizer !== undefined) checkOptimizerOptions(optimizer);
  if (schedule !== undefined) checkSchedule(schedule);
  if (maxGradientNorm !== undefined && !isAtLeast0(maxGradientNorm)) throw new OptionError("maxGradientNorm", "a number of at least 0", maxGradientNorm);
  if (accumulate !== undefined && !(Number.isInteger(accumulate) && accumulate >= 1)) throw new OptionError("accumulate", "an integer of at least 1", accumulate);
  if (normalise !== undefined && !["tokens", "microbatch"].includes(normalise)) throw new OptionError("normalise", '"tokens" or "microbatch"', normalise);
  if (parametersWithoutGradient !== undefined && !["skip", "zero"].includes(parametersWithoutGradient)) {
    throw new OptionError("parametersWithoutGradient", '"skip" or "zero"', parametersWithoutGradient);
  }
  if (recompute !== undefined && !["none", "layer"].includes(recompute)) throw new OptionError("recompute", '"none" or "layer"', recompute);
}

/** Throws `OptionError` if something of a part learns that has no rate: it would be left as it is in silence. */
export function checkRates(learningRate: TrainerOptions["learningRate"], learning: readonly Part[]): void {
  if (typeof learningRate === "number") return;
  const missing = learning.find((part) => learningRate[part] === undefined);
  if (missing !== undefined) throw new OptionError(`learningRate.${missing}`, "a rate, since something of this part learns", undefined);
}

function checkLearningRate(learningRate: TrainerOptions["learningRate"]): void {
  const perPart = typeof learningRate === "object" && learningRate !== null;
  if (perPart) checkOptionNames(learningRate, parts, "learningRate");
  const rates = perPart ? Object.values(learningRate) : [learningRate];
  if (rates.length === 0 || !rates.every(isAtLeast0)) throw new OptionError("learningRate", "a number of at least 0, or one per part", learningRate);
}

/** Parts that learn, as far as that can be said without the model: what globs mean cannot. */
function knownParts({ trainable = [], lora }: TrainerOptions): Part[] {
  // Module names, and no targets at all, mean the language model.
  const adaptsLanguage = typeof lora === "object" && (lora.targets === undefined || lora.targets.some((target) => !target.includes("*")));
  return parts.filter((part) => trainable.includes(part) || (part === "language" && adaptsLanguage));
}

function isAtLeast0(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
