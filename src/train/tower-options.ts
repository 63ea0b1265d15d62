import { OptionError } from "../generate/errors.ts";
import { checkOptionNames } from "../generate/options.ts";
import { checkOptimizerOptions, type OptimizerOptions } from "./optimizer-options.ts";
import { checkSchedule, type Schedule } from "./schedule.ts";

/** How a `TowerTrainer` trains. */
export interface TowerOptions {
  /** Number of classes of each linear head, by its name. */
  readonly heads: Readonly<Record<string, number>>;
  /** Of the tower and the heads alike. */
  readonly learningRate: number;
  readonly optimizer?: OptimizerOptions;
  readonly schedule?: Schedule;
  /** Global norm that gradients are clipped to; 0 for none. Default 1. */
  readonly maxGradientNorm?: number;
  /** Of the initial values of the heads. Default 0. */
  readonly seed?: number;
}

/** Throws `OptionError` for settings that no trainer can have. */
export function checkTowerOptions(options: TowerOptions): void {
  checkOptionNames(options, ["heads", "learningRate", "optimizer", "schedule", "maxGradientNorm", "seed"]);
  const { heads, learningRate, optimizer, schedule, maxGradientNorm, seed } = options;
  const isObject = typeof heads === "object" && heads !== null && !Array.isArray(heads);
  if (!isObject || Object.keys(heads).length === 0) throw new OptionError("heads", "an object with a number of classes by name", heads);
  for (const [name, classes] of Object.entries(heads)) {
    if (!/^\w+$/.test(name)) throw new OptionError("heads", "names of letters, digits and underscores", name);
    if (!(Number.isInteger(classes) && classes >= 2)) throw new OptionError(`heads.${name}`, "a number of classes of at least 2", classes);
  }
  if (!(Number.isFinite(learningRate) && learningRate >= 0)) throw new OptionError("learningRate", "a number of at least 0", learningRate);
  if (optimizer !== undefined) checkOptimizerOptions(optimizer);
  if (schedule !== undefined) checkSchedule(schedule);
  if (maxGradientNorm !== undefined && !(Number.isFinite(maxGradientNorm) && maxGradientNorm >= 0)) throw new OptionError("maxGradientNorm", "a number of at least 0", maxGradientNorm);
  if (seed !== undefined && !Number.isInteger(seed)) throw new OptionError("seed", "an integer", seed);
}
