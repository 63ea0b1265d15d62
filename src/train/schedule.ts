import { OptionError } from "../generate/errors.ts";
import { checkOptionNames } from "../generate/options.ts";

/** How the learning rate changes: it rises linearly over the warm-up, then falls to 0, or stays. */
export interface Schedule {
  readonly kind: "cosine" | "linear" | "constant";
  /** Optimizer steps of the whole run. */
  readonly steps: number;
  /** Share of the steps that warm up, rounded up. Either this or `warmupSteps`. Default 0. */
  readonly warmupRatio?: number;
  /** At most `steps`. */
  readonly warmupSteps?: number;
}

/** Steps that warm up. */
export function warmupSteps({ steps, warmupRatio = 0, warmupSteps: given }: Schedule): number {
  return given ?? Math.ceil(warmupRatio * steps);
}

/** The factor of the learning rate at a step, counted from 0, as in transformers' schedules: the first step of a warm-up has 0. */
export function learningRateFactor(schedule: Schedule, step: number): number {
  const warmup = warmupSteps(schedule);
  if (step < warmup) return step / Math.max(1, warmup);
  if (schedule.kind === "constant") return 1;
  const progress = Math.min(1, (step - warmup) / Math.max(1, schedule.steps - warmup));
  return schedule.kind === "cosine" ? 0.5 * (1 + Math.cos(Math.PI * progress)) : 1 - progress;
}

/** Throws `OptionError`. */
export function checkSchedule(schedule: Schedule): void {
  checkOptionNames(schedule, ["kind", "steps", "warmupRatio", "warmupSteps"], "schedule");
  const { kind, steps, warmupRatio, warmupSteps: given } = schedule;
  if (!["cosine", "linear", "constant"].includes(kind)) throw new OptionError("schedule.kind", '"cosine", "linear" or "constant"', kind);
  if (!(Number.isInteger(steps) && steps >= 1)) throw new OptionError("schedule.steps", "an integer of at least 1", steps);
  if (warmupRatio !== undefined && !(Number.isFinite(warmupRatio) && warmupRatio >= 0 && warmupRatio <= 1)) {
    throw new OptionError("schedule.warmupRatio", "a number from 0 to 1", warmupRatio);
  }
  if (given !== undefined && !(Number.isInteger(given) && given >= 0)) throw new OptionError("schedule.warmupSteps", "an integer of at least 0", given);
  if (given !== undefined && given > steps) throw new OptionError("schedule.warmupSteps", `at most ${steps}, the steps of the whole run`, given);
  if (given !== undefined && warmupRatio !== undefined) throw new OptionError("schedule", "either warmupRatio or warmupSteps", "both");
}
