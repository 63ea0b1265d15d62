import { OptionError } from "../generate/errors.ts";
import { checkOptionNames } from "../generate/options.ts";

/** Settings of AdamW (Loshchilov & Hutter 2019). */
export interface AdamWOptions {
  /** Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly eps?: number;
  /** Decoupled; biases and norm weights are not decayed. Default 0. */
  readonly weightDecay?: number;
}

/** How gradients become steps. */
export interface OptimizerOptions extends AdamWOptions {
  /**
   * "muon": the matrices of the transformer layers and of the projector take steps of Muon (Jordan et al. 2024), whose
   * size is that of AdamW's (Liu et al. 2025, "Muon is scalable for LLM training"), so that learning rates and decay carry
   * over; everything else (embeddings, head, biases, norms, adapters) takes AdamW's. A matrix of Muon keeps one moment, not
   * two. Default "adamw".
   */
  readonly kind?: "adamw" | "muon";
  /** Of Muon: share of the momentum that a step keeps. Default 0.95. */
  readonly momentum?: number;
  /** With "muon": what the learning rates are multiplied by for everything that takes AdamW's steps. Default 1. */
  readonly adamWRateFactor?: number;
}

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const isShare = (value: unknown): boolean => isNumber(value) && value >= 0 && value < 1;

/** Throws `OptionError` for settings that no optimizer can have; its option begins with "optimizer". */
export function checkOptimizerOptions(options: OptimizerOptions): void {
  checkOptionNames(options, ["kind", "betas", "eps", "weightDecay", "momentum", "adamWRateFactor"], "optimizer");
  const { kind = "adamw", betas, eps, weightDecay, momentum, adamWRateFactor } = options;
  if (!["adamw", "muon"].includes(kind)) throw new OptionError("optimizer.kind", '"adamw" or "muon"', kind);
  if (betas !== undefined && !(Array.isArray(betas) && betas.length === 2 && betas.every(isShare))) {
    throw new OptionError("optimizer.betas", "two numbers from 0 to below 1", betas);
  }
  for (const [name, value] of Object.entries({ eps, weightDecay })) {
    if (value !== undefined && !(isNumber(value) && value >= 0)) throw new OptionError(`optimizer.${name}`, "a number of at least 0", value);
  }
  for (const [name, value] of Object.entries({ momentum, adamWRateFactor })) {
    if (value !== undefined && kind !== "muon") throw new OptionError(`optimizer.${name}`, 'nothing but with kind "muon"', value);
  }
  if (momentum !== undefined && !isShare(momentum)) throw new OptionError("optimizer.momentum", "a number from 0 to below 1", momentum);
  if (adamWRateFactor !== undefined && !(isNumber(adamWRateFactor) && adamWRateFactor >= 0)) {
    throw new OptionError("optimizer.adamWRateFactor", "a number of at least 0", adamWRateFactor);
  }
}
