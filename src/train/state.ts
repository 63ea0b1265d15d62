/** A training run as one file: everything that the next step depends on, bit by bit. */
import {
  type FolderSource, openFolder, readHeader, type SafetensorsHeader, type TensorToWrite, WeightError, writeSafetensors,
} from "../../weights/index.ts";
import { LlavaError, shown } from "../../errors/index.ts";
import type { ByteSource } from "../../weights/index.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Optimizer } from "./optimizer.ts";
import type { Slot } from "./slots.ts";
import { openSink, type SaveTarget } from "./target.ts";
import { pieceRanges, readPieces } from "./transfer.ts";

/** The file of a checkpoint folder. One file, so that it is replaced as a whole. */
const FILE = "training.safetensors";
const FORMAT = "llava-webgpu training state 1";

/** A checkpoint that does not belong to this run. */
export class ResumeError extends LlavaError {
  override name = "ResumeError";
}

/** An adapter but for its values. */
export interface KeptAdapter {
  readonly module: string;
  readonly rank: number;
  readonly scale: number;
  readonly dropout: number;
}

/** What a checkpoint holds beside tensors. */
export interface RunState {
  /** Optimizer steps so far. */
  readonly step: number;
  /** Updates that each tensor has had, by the checkpoint's names. */
  readonly counts: Readonly<Record<string, number>>;
  /** Every adapter of the model; absent in older checkpoints. */
  readonly adapters?: readonly KeptAdapter[];
  /** The options of the trainer, as JSON has them. */
  readonly options: unknown;
  /** Whatever the caller wants back: where its sampler stands, its stage. */
  readonly data: unknown;
}

/** The buffers whose contents are kept for one slot, by the kind in front of the tensor's name. */
type Kept = Readonly<Record<string, { readonly slot: Slot; readonly buffer: GPUBuffer }>>;

/** f32 values and, for what learns now, its moments, each under `kind/name in the model's files`. */
function keptTensors(slots: Iterable<Slot>, optimizer: Optimizer): Kept {
  const kept: Record<string, { slot: Slot; buffer: GPUBuffer }> = {};
  for (const slot of slots) {
    kept[`value/${slot.foreignName}`] = { slot, buffer: slot.parameter.block.buffer };
    if (!optimizer.counts.has(slot)) continue;
    const { m, v } = optimizer.moments(slot.parameter);
    kept[`m/${slot.foreignName}`] = { slot, buffer: m.buffer };
    if (v) kept[`v/${slot.foreignName}`] = { slot, buffer: v.buffer };
  }
  return kept;
}

/** Writes a run's state. `slots`: what learns, what learnt in earlier stages, and adapters. Throws `OptionError`, `WeightError`. */
export async function writeState(target: SaveTarget, gpu: Gpu, slots: Iterable<Slot>, optimizer: Optimizer, state: RunState): Promise<void> {
  const tensors = Object.entries(keptTensors(slots, optimizer)).map(([name, { slot, buffer }]): TensorToWrite => {
    return { name, dtype: "F32", shape: slot.shape, data: readPieces(gpu, buffer, slot.offset, slot.count) };
  });
  await writeSafetensors(await openSink(target, FILE), tensors, { format: FORMAT, state: JSON.stringify(state) });
}

/** An opened checkpoint; whoever opens it closes it. */
export interface OpenState {
  readonly state: RunState;
  /** Names of the tensors whose values are kept. */
  readonly values: readonly string[];
  /** Writes what is kept into the buffers of the slots. Throws `ResumeError` if they are not the ones that were kept. */
  restore(gpu: Gpu, slots: Iterable<Slot>, optimizer: Optimizer): Promise<void>;
  close(): Promise<void>;
}

/** Opens a folder's checkpoint. Throws `ResumeError` if it is none, `WeightError` if it cannot be read. */
export async function openState(source: FolderSource): Promise<OpenState> {
  const folder = await openFolder(source);
  if (!(await folder.has(FILE))) throw new ResumeError(`${folder.name}: expected a checkpoint of a training run (${FILE}), found none`);
  const file = await folder.open(FILE);
  try {
    const header = await readHeader(file);
    const state = parseState(header, file.name);
    const names = [...header.tensors.keys()];
    return {
      state,
      values: names.filter((name) => name.startsWith("value/")).map((name) => name.slice("value/".length)),
      restore: async (gpu, slots, optimizer) => {
        const kept = keptTensors(slots, optimizer);
        for (const name of new Set([...names, ...Object.keys(kept)])) await restoreTensor(gpu, file, header, name, kept);
        for (const slot of optimizer.slots) {
          const count = state.counts[slot.foreignName];
          if (count === undefined) throw new ResumeError(`${file.name}: expected a count of steps for ${slot.foreignName}, got none`);
          optimizer.counts.set(slot, count);
        }
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function restoreTensor(gpu: Gpu, file: ByteSource, { tensors }: SafetensorsHeader, name: string, kept: Kept): Promise<void> {
  const entry = tensors.get(name);
  const place = Object.hasOwn(kept, name) ? kept[name] : undefined;
  if (!entry || !place || entry.dtype !== "F32" || entry.shape.join() !== place.slot.shape.join()) {
    const shape = (list: readonly number[] | undefined) => (list ? `[${list.join(", ")}]` : "no such tensor");
    throw new ResumeError(`${file.name}: ${name}: expected ${shape(place?.slot.shape)}, as this run has it, got ${shape(entry?.shape)}; resume with the model and settings that the checkpoint was written with`);
  }
  for (const [start, end] of pieceRanges(entry.end - entry.start)) {
    gpu.write(place.buffer, place.slot.offset * 4 + start, await file.read(entry.start + start, entry.start + end));
    // The queue takes copies of what is written; waiting keeps them from piling up.
    await gpu.idle();
  }
}

function parseState({ metadata }: SafetensorsHeader, file: string): RunState {
  if (metadata.format !== FORMAT) throw new ResumeError(`${file}: expected the format "${FORMAT}", got ${JSON.stringify(metadata.format ?? null)}; it was written by another version, or is no checkpoint`);
  try {
    const state = JSON.parse(metadata.state ?? "") as RunState;
    const counts = Object.values(state.counts);
    if ([state.step, ...counts].every((count) => Number.isSafeInteger(count) && count >= 0)) return state;
  } catch (cause) {
    throw new WeightError(`${file}: the state of the run is no JSON; the file is damaged`, { file }, { cause });
  }
  throw new WeightError(`${file}: expected counts of steps, got others; the file is damaged`, { file });
}

/** Options as they are kept: what JSON leaves of them. */
export function plainOptions(options: object): unknown {
  return JSON.parse(JSON.stringify(options));
}

/**
 * Compares the settings of a run with those of its checkpoint. Throws `ResumeError` naming the first that differs.
 *
 * @param path the setting that both belong to; "" for all
 */
export function checkSame(now: unknown, before: unknown, path = ""): void {
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
  if (isObject(now) && isObject(before) && Array.isArray(now) === Array.isArray(before)) {
    for (const key of new Set([...Object.keys(now), ...Object.keys(before)])) checkSame(now[key], before[key], path ? `${path}.${key}` : key);
    return;
  }
  if (now === before) return;
  throw new ResumeError(`resume: ${path || "settings"}: expected ${shown(before)}, as the checkpoint was written with, got ${shown(now)}; change it back, or start anew`);
}
