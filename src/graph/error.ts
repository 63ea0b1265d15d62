import { LlavaError } from "../../errors/index.ts";

/** A program was run with the wrong inputs or scalars. */
export class ProgramError extends LlavaError {
  override name = "ProgramError";
}
