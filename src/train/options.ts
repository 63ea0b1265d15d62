import { OptionError } from "../generate/errors.ts";
import { checkLoraOptions, type LoraOptions } from "./lora.ts";
import { checkOptimizerOptions, type OptimizerOptions } from "./optimizer-options.ts";
import { checkSchedule, type Schedule } from "./schedule.ts";
import type { Part } from "./slots.ts";

/** How a `Trainer` trains. */
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
export function stepOptions({ recompute: _recompute, ...options }: TrainerOptions): Omit<TrainerOptions, "recompute"> {
  return options;
}

/** Throws `OptionError` for settings that no trainer can have. */
export function checkOptions({ trainable, lora, learningRate, optimizer, schedule, accumulate, normalise, parametersWithoutGradient, recompute }: TrainerOptions): void {
  if (!Array.isArray(trainable) || (trainable.length === 0 && !lora)) throw new OptionError("trainable", "a list of parts or globs", trainable);
  const rates = typeof learningRate === "number" ? [learningRate] : Object.values(learningRate ?? {});
  if (rates.length === 0 || rates.some((rate) => !(typeof rate === "number" && rate >= 0))) throw new OptionError("learningRate", "a number of at least 0, or one per part", learningRate);
  if (lora !== undefined && lora !== "loaded") checkLoraOptions(lora);
  if (optimizer !== undefined) checkOptimizerOptions(optimizer);
  if (schedule) checkSchedule(schedule);
  if (accumulate !== undefined && !(Number.isInteger(accumulate) && accumulate >= 1)) throw new OptionError("accumulate", "an integer of at least 1", accumulate);
  if (normalise !== undefined && !["tokens", "microbatch"].includes(normalise)) throw new OptionError("normalise", '"tokens" or "microbatch"', normalise);
  if (parametersWithoutGradient !== undefined && !["skip", "zero"].includes(parametersWithoutGradient)) {
    throw new OptionError("parametersWithoutGradient", '"skip" or "zero"', parametersWithoutGradient);
  }
  if (recompute !== undefined && !["none", "layer"].includes(recompute)) throw new OptionError("recompute", '"none" or "layer"', recompute);
}
