import { LlavaError, shown } from "../../../errors/index.ts";

/** A training sample that cannot be learnt from. */
export class SampleError extends LlavaError {
  override name = "SampleError";

  constructor(
    /** The sample's id; one without an id is named by its place. */
    readonly sample: string,
    /** The field that is wrong, such as "conversations[1].value". */
    readonly field: string,
    /** What was expected, what came, what to do. */
    readonly problem: string,
    options?: ErrorOptions,
  ) {
    super(`sample ${oneLine(sample)}, ${oneLine(field)}: ${oneLine(problem)}`, options);
  }
}

/** A data file or a setting of the data layer that cannot be used. */
export class DataError extends LlavaError {
  override name = "DataError";

  constructor(
    /** The file or setting. */
    readonly subject: string,
    /** What was expected, what came, what to do. */
    readonly problem: string,
  ) {
    super(`${oneLine(subject)}: ${oneLine(problem)}`);
  }
}

/** A batch all of whose samples were left out. */
export class EmptyBatchError extends LlavaError {
  override name = "EmptyBatchError";

  constructor(
    /** How many samples there were. */
    readonly samples: number,
    /** What was wrong with the last of them. */
    readonly last: SampleError | undefined,
  ) {
    const reason = last ? `; the last one: ${last.message}` : "";
    super(`collate: expected at least one usable sample, got ${samples} of which none is${reason}`);
  }
}

/** @throws DataError unless `value` is one of `names`. */
export function checkChoice(subject: string, value: unknown, names: readonly string[]): void {
  if ((names as readonly unknown[]).includes(value)) return;
  throw new DataError(subject, `expected one of ${names.join(", ")}, got ${shown(value)}`);
}

/** @throws DataError unless `value` is a whole number of at least `least`. */
export function checkCount(subject: string, value: unknown, least: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= least) return;
  throw new DataError(subject, `expected a whole number of at least ${least}, got ${shown(value)}`);
}

/** Texts of a data file may hold line breaks. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ");
}
