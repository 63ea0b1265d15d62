import { LlavaError } from "../../errors/index.ts";
import type { TrainingBatch } from "./batch.ts";

/** The loss or a gradient is not a number. */
export class DivergedError extends LlavaError {
  override name = "DivergedError";
  constructor(
    message: string,
    readonly step: number,
    readonly sampleIds: readonly string[],
  ) {
    super(message);
  }
}

/** The error of step number `step`, whose `what` is no number; it names the samples of `batches`. */
export function diverged(step: number, what: string, value: number, batches: readonly TrainingBatch[]): DivergedError {
  const ids = batches.flatMap((batch) => batch.sampleIds ?? []);
  const samples = ids.length > 0 ? ` (samples ${ids.join(", ")})` : "";
  return new DivergedError(`step ${step}: the ${what} is ${value}${samples}; lower the learning rate, or look at these samples`, step, ids);
}
