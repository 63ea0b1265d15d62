import type { Preparer } from "../generate/prepare.ts";
import type { Runtime } from "../generate/runtime.ts";
import type { LoadedModel } from "../models/loaded.ts";
import { DisposedError } from "../turns.ts";

/** What `Trainer` needs of a model: a `Llava` has it. */
export interface Trainable {
  readonly parts: { readonly loaded: LoadedModel; readonly runtime: Runtime; readonly preparer: Preparer };
}

/** Throws `DisposedError` for a model that was disposed. */
export function checkOpen({ parts: { loaded } }: Trainable): void {
  if (loaded.gpu.disposed) throw new DisposedError("this model was disposed; load it again before training it");
}
