/** Runs that are left off and gone on with: what all trainers have in common. */
import type { FolderSource } from "../../weights/index.ts";
import type { Workspace } from "../graph/workspace.ts";
import type { LoadedModel } from "../models/loaded.ts";
import { learntSlots, markLearnt } from "./learnt.ts";
import { makeMaster } from "./master.ts";
import type { Optimizer } from "./optimizer.ts";
import { modelSlots, type Slot } from "./slots.ts";
import { checkSame, type OpenState, openState, plainOptions, type RunState, writeState } from "./state.ts";
import type { SaveTarget } from "./target.ts";
import type { Trainable } from "./trainable.ts";

/** Writes the state of a run: all that learns or learnt, moments, counts of steps. Throws `WeightError`. */
export async function writeRun(
  target: SaveTarget,
  loaded: LoadedModel,
  optimizer: Optimizer,
  { step, options, data }: Pick<RunState, "step" | "data"> & { readonly options: object },
): Promise<void> {
  const counts = Object.fromEntries([...optimizer.counts].map(([slot, count]) => [slot.foreignName, count]));
  await writeState(target, loaded.gpu, keptSlots(loaded, optimizer), optimizer, { step, counts, options: plainOptions(options), data });
}

/**
 * Makes a trainer and gives it back what `writeRun` kept. Throws `ResumeError` if model or options are not the same, and what
 * `create` throws.
 *
 * @param options those that must be the same
 */
export async function resumeRun<T extends { dispose(): Promise<void> }>(
  folder: FolderSource,
  options: object,
  create: () => Promise<T>,
  restore: (trainer: T, kept: OpenState) => Promise<void>,
): Promise<T> {
  const kept = await openState(folder);
  try {
    checkSame(plainOptions(options), kept.state.options);
    const trainer = await create();
    await restore(trainer, kept).catch(async (error: unknown) => {
      await trainer.dispose();
      throw error;
    });
    return trainer;
  } finally {
    await kept.close();
  }
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

/** What learns, and what learnt in earlier stages. */
function keptSlots(loaded: LoadedModel, { slots }: Optimizer): Set<Slot> {
  const mine = new Set(slots.map(({ foreignName }) => foreignName));
  const earlier = [...learntSlots(loaded).values()].filter(({ foreignName }) => !mine.has(foreignName));
  return new Set([...slots, ...earlier]);
}
