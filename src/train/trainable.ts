import type { Preparer } from "../generate/prepare.ts";
import type { Runtime } from "../generate/runtime.ts";
import type { LoadedModel } from "../models/loaded.ts";

/** What `Trainer` needs of a model: a `Llava` has it. */
export interface Trainable {
  readonly parts: { readonly loaded: LoadedModel; readonly runtime: Runtime; readonly preparer: Preparer };
}
