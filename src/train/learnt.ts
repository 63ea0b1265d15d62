import type { LoadedModel } from "../models/loaded.ts";
import type { Slot } from "./slots.ts";

/** By model, what any trainer has moved so far: a second stage must also save what only the first one trained. */
const learnt = new WeakMap<LoadedModel, Map<string, Slot>>();

/** Remembers that these weights differ from the model's files from now on. */
export function markLearnt(loaded: LoadedModel, slots: Iterable<Slot>): void {
  const known = learnt.get(loaded) ?? new Map<string, Slot>();
  for (const slot of slots) known.set(slot.foreignName, slot);
  learnt.set(loaded, known);
}

/** The weights that may differ from the model's files, by the checkpoint's tensor names. */
export function learntSlots(loaded: LoadedModel): ReadonlyMap<string, Slot> {
  return learnt.get(loaded) ?? new Map();
}
