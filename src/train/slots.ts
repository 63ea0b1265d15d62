/** Which weights learn. */
import { Checkpoint } from "../../weights/index.ts";
import { OptionError } from "../generate/errors.ts";
import { glob } from "../graph/glob.ts";
import { elements, type Parameter } from "../graph/tensor.ts";
import type { LoadedModel } from "../models/loaded.ts";

/** The three parts of a model, which may have learning rates of their own. */
export type Part = "vision" | "projector" | "language";

/** One checkpoint tensor that learns: a range of a parameter, which may stack several. */
export interface Slot {
  /** Canonical name. */
  readonly name: string;
  /** Name in the checkpoint. */
  readonly foreignName: string;
  readonly part: Part;
  readonly parameter: Parameter;
  /** First element and number of elements in the parameter. */
  readonly offset: number;
  readonly count: number;
  /** Shape in the checkpoint. */
  readonly shape: readonly number[];
  /** Biases and norm weights are not decayed. */
  readonly decays: boolean;
}

export const parts: readonly Part[] = ["vision", "projector", "language"];

/** The part that a canonical name belongs to; the newline is the language model's. */
export function partOf(name: string): Part {
  return parts.find((part) => name.startsWith(`${part}.`)) ?? "language";
}

/**
 * The slots that `trainable` names: parts, or globs over the checkpoint's tensor names.
 * Throws `OptionError` for an entry that matches nothing.
 */
export function selectSlots(all: readonly Slot[], trainable: readonly string[]): Slot[] {
  const chosen = new Set<Slot>();
  for (const entry of trainable) {
    const matches = (parts as readonly string[]).includes(entry) ? (slot: Slot) => slot.part === entry : byName(entry);
    const found = all.filter(matches);
    if (found.length === 0) throw new OptionError("trainable", `parts (${parts.join(", ")}) or globs over the checkpoint's tensor names`, entry);
    for (const slot of found) chosen.add(slot);
  }
  return all.filter((slot) => chosen.has(slot));
}

/** Every tensor of a model. */
export async function modelSlots({ model, folder }: LoadedModel): Promise<Slot[]> {
  const checkpoint = await Checkpoint.open(folder);
  await checkpoint.close();
  return [...model.parameters.values()].flatMap((parameter) => slotsOf(parameter, (name) => checkpoint.info(name).foreignName));
}

/** The slots of one parameter, in order. */
export function slotsOf(parameter: Parameter, foreignName: (name: string) => string): Slot[] {
  let offset = 0;
  return parameter.parts.map(({ name, shape }) => {
    const count = elements(shape);
    const slot = { name, foreignName: foreignName(name), part: partOf(name), parameter, offset, count, shape, decays: !/\.bias$|[nN]orm\d?\.weight$/.test(name) };
    offset += count;
    return slot;
  });
}

function byName(pattern: string): (slot: Slot) => boolean {
  const test = glob(pattern);
  return ({ foreignName, name }) => test(foreignName) || test(name);
}
