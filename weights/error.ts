import { LlavaError } from "../errors/index.ts";

/** The values behind the message of a {@link WeightError}. */
export interface WeightErrorDetails {
  /** File, path or address that the error is about. */
  readonly file?: string;
  /** Name of the tensor that the error is about. */
  readonly tensor?: string;
  readonly expected?: unknown;
  readonly got?: unknown;
}

/** A checkpoint, one of its files or one of its tensors is not what was asked for. */
export class WeightError extends LlavaError implements WeightErrorDetails {
  override name = "WeightError";
  readonly file?: string;
  readonly tensor?: string;
  readonly expected?: unknown;
  readonly got?: unknown;

  constructor(message: string, details: WeightErrorDetails = {}, options?: ErrorOptions) {
    super(oneLine(message), options);
    this.file = details.file;
    this.tensor = details.tensor;
    this.expected = details.expected;
    this.got = details.got;
  }
}

/** The first line of what `error` says, for use inside another message. */
export function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  // fetch says only "fetch failed"; what happened is in its cause.
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : "";
  return oneLine(cause === "" ? message : `${message}: ${cause}`);
}

/** File names and tensor names come from outside and may hold line breaks. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ");
}
