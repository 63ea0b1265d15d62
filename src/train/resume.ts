/** Runs that are left off and gone on with: what all trainers have in common. */
import type { FolderSource } from "../../weights/index.ts";
import type { Workspace } from "../graph/workspace.ts";
import type { LoadedModel } from "../models/loaded.ts";
import { learntSlots, markLearnt } from "./learnt.ts";
import { adaptersOf, adapterSlots, attachAdapters, type NewAdapter, removeLora } from "./lora.ts";
import { linearModules } from "./lora-modules.ts";
import { makeMaster } from "./master.ts";
import type { Optimizer } from "./optimizer.ts";
import { modelSlots, type Slot } from "./slots.ts";
import { checkSame, type KeptAdapter, type OpenState, openState, plainOptions, ResumeError, type RunState, writeState } from "./state.ts";
import type { SaveTarget } from "./target.ts";
import type { Trainable } from "./trainable.ts";

/** Writes the state of a run: all that learns or learnt, adapters, moments, counts of steps. Throws `OptionError`, `WeightError`. */
export async function writeRun(
  target: SaveTarget,
  loaded: LoadedModel,
  optimizer: Optimizer,
  { step, options, data }: Pick<RunState, "step" | "data"> & { readonly options: object },
): Promise<void> {
  const counts = Object.fromEntries([...optimizer.counts].map(([slot, count]) => [slot.foreignName, count]));
  const adapters = adaptersOf(loaded).map(({ module, a, scale, dropout }): KeptAdapter => ({ module, rank: a.shape[0]!, scale, dropout }));
  await writeState(target, loaded.gpu, keptSlots(loaded, optimizer), optimizer, { step, counts, adapters, options: plainOptions(options), data });
}

/**
 * Makes a trainer and gives it back what `writeRun` kept, adapters of earlier stages included. Throws `ResumeError` if model or
 * options are not the same, and what `create` throws; the model has then no more adapters than before.
 *
 * @param options those that must be the same
 */
export async function resumeRun<T extends { dispose(): Promise<void> }>(
  llava: Trainable,
  folder: FolderSource,
  options: object,
  create: () => Promise<T>,
  restore: (trainer: T, kept: OpenState) => Promise<void>,
): Promise<T> {
  const kept = await openState(folder);
  const { loaded } = llava.parts;
  const adapted = adaptersOf(loaded).length > 0;
  try {
    checkSame(plainOptions(options), kept.state.options);
    // `create` adds those of a new LoRA.
    const adds = "lora" in options && typeof options.lora === "object";
    if (!adapted && !adds) await attachAdapters(llava, await blankAdapters(loaded, kept.state.adapters ?? []));
    const trainer = await create();
    await restore(trainer, kept).catch(async (error: unknown) => {
      await trainer.dispose();
      throw error;
    });
    return trainer;
  } catch (error) {
    if (!adapted) removeLora(llava);
    throw error;
  } finally {
    await kept.close();
  }
}

/** Adapters whose values are still to be read. */
async function blankAdapters(loaded: LoadedModel, kept: readonly KeptAdapter[]): Promise<NewAdapter[]> {
  const modules = await linearModules(loaded);
  return kept.map(({ module: name, rank, scale, dropout }) => {
    const module = modules.find((one) => one.module === name);
    if (!module) throw new ResumeError(`resume: expected a model with the layer ${name}, which has an adapter in the checkpoint, got one without; resume with the model that the run began with`);
    return { module, rank, a: new Float32Array(rank * module.inputs), b: new Float32Array(module.rows * rank), scale, dropout };
  });
}

/** Writes what is kept into a model and an optimizer. Throws `ResumeError`. */
export async function restoreRun(kept: OpenState, { parts: { loaded, runtime } }: Trainable, workspace: Workspace, optimizer: Optimizer): Promise<void> {
  const mine = new Set(optimizer.slots.map(({ foreignName }) => foreignName));
  const values = new Set(kept.values);
  // What learnt in earlier stages.
  const earlier = (await modelSlots(loaded)).filter(({ foreignName }) => values.has(foreignName) && !mine.has(foreignName));
  for (const parameter of new Set(earlier.map((slot) => slot.parameter))) await makeMaster(loaded.gpu, workspace, parameter);
  markLearnt(loaded, earlier);
  runtime.weightsMoved();
  await kept.restore(loaded.gpu, keptSlots(loaded, optimizer), optimizer);
}

/** What learns, what learnt in earlier stages, and all adapters. */
function keptSlots(loaded: LoadedModel, { slots }: Optimizer): Set<Slot> {
  const mine = new Set(slots.map(({ foreignName }) => foreignName));
  const earlier = [...learntSlots(loaded).values(), ...adapterSlots(loaded)].filter(({ foreignName }) => !mine.has(foreignName));
  return new Set([...slots, ...earlier]);
}
