import { OptionError } from "../generate/errors.ts";
import { checkLoraOptions, type LoraOptions } from "./lora.ts";
import type { AdamWOptions } from "./optimizer.ts";
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
