import { LlavaError, shown } from "../../errors/index.ts";

/** An option of generation that is out of range or of the wrong type. */
export class OptionError extends LlavaError {
  override name = "OptionError";

  constructor(
    /** Name of the option, such as "temperature". */
    readonly option: string,
    /** What would have been right. */
    readonly expected: string,
    /** The value that came. */
    readonly got: unknown,
  ) {
    super(`${option}: expected ${expected}, got ${shown(got)}`);
  }
}

/** Logits that no token can be chosen from. */
export class LogitsError extends LlavaError {
  override name = "LogitsError";

  constructor(
    /** Logits that came. */
    readonly total: number,
    /** How many of them are NaN. */
    readonly nan: number,
    /** How many of them are +infinity. */
    readonly infinite: number,
  ) {
    const problem =
      nan + infinite > 0
        ? `expected finite numbers, got ${nan} NaN and ${infinite} infinite of ${total}`
        : `expected at least one that is not -infinity, got ${total} without any`;
    const cause = "likely an overflow in 16-bit arithmetic or damaged weights";
    super(`logits: ${problem}; ${cause}: load the model with weights: "f32", or check its files`);
  }
}

/** A prompt or an answer outgrew the model's context. */
export class ContextError extends LlavaError {
  override name = "ContextError";
  constructor(
    message: string,
    /** Tokens wanted. */
    readonly wanted: number,
    /** Tokens that the model was made for. */
    readonly limit: number,
  ) {
    super(message);
  }
}
