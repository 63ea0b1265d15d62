import { LlavaError } from "../../errors/index.ts";
import type { TrainingBatch } from "./training-batch.ts";

/** The loss or a gradient is not a number. */
export class DivergedError extends LlavaError {
  override name = "DivergedError";
  constructor(
    message: string,
    /** The optimizer step that was being done, or else the next one, counted from 1. */
    readonly step: number,
    readonly sampleIds: readonly string[],
  ) {
    super(message);
  }
}

/** The error of the step behind `done` others, whose `what` is no number; it names the samples of `batches`. */
export function diverged(done: number, what: string, value: number, batches: readonly TrainingBatch[]): DivergedError {
  const step = done + 1;
  const ids = batches.flatMap((batch) => batch.sampleIds ?? []);
  const samples = ids.length > 0 ? ` (samples ${ids.join(", ")})` : "";
  return new DivergedError(`step ${step}: the ${what} is ${value}${samples}; lower the learning rate, or look at these samples`, step, ids);
}
