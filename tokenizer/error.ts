import { LlavaError } from "../errors/index.ts";

/** A tokenizer file, a chat template or text that cannot be used as given. `file` names the file at fault, if any. */
export class TokenizerError extends LlavaError {
  override name = "TokenizerError";
  readonly file: string | undefined;

  constructor(message: string, details: { file?: string; cause?: unknown } = {}) {
    super(message, "cause" in details ? { cause: details.cause } : undefined);
    this.file = details.file;
  }
}

/** What a caught value says, on one line: for the end of another error's message. */
export function reason(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.replace(/\s+/g, " ").trim();
}
