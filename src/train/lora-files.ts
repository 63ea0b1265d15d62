/** Adapters as files that peft reads: `adapter_config.json` and `adapter_model.safetensors`. */
import {
  type ByteSink, type DType, type Folder, type FolderSource, fromFloat32, openFolder, readHeader, type SafetensorsHeader,
  type TensorToWrite, toFloat32, WeightError, writeSafetensors,
} from "../../weights/index.ts";
import { canonicalName } from "../../weights/names.ts";
import { OptionError } from "../generate/errors.ts";
import { checkOptionNames } from "../generate/options.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { type Adapter, shapeText } from "../graph/tensor.ts";
import { Workspace } from "../graph/workspace.ts";
import { learntSlots, markLearnt } from "./learnt.ts";
import { adaptersOf, adapterSlots, attachAdapters, type NewAdapter } from "./lora.ts";
import { type AdapterSettings, parseAdapterConfig } from "./lora-config.ts";
import { type LinearModule, linearModules } from "./lora-modules.ts";
import { makeMaster } from "./master.ts";
import { checkSaveOptions, type SaveOptions, type SaveType } from "./save.ts";
import { type Slot, slotsOf } from "./slots.ts";
import { closeTogether, keepOpen, openSink, type SaveTarget } from "./target.ts";
import type { Trainable } from "./trainable.ts";
import { readPieces } from "./transfer.ts";

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";

/** Whole weights that learnt beside the adapters, perhaps none; LLaVA keeps these in `non_lora_trainables.bin`. */
const OTHERS = "non_lora_trainables.safetensors";

/**
 * Writes a model's adapters (in f32 unless `dtype` says otherwise): `adapter_config.json` and `adapter_model.safetensors`,
 * which peft opens; and other weights that learnt (a projector) whole in `non_lora_trainables.safetensors`, under the
 * checkpoint's names. That file is written without any too: it takes the place of another run's.
 *
 * The files appear under their names when all are whole. Throws `OptionError`, also for a model without adapters,
 * `WeightError`; the signal's reason.
 */
export async function saveLora(llava: Trainable, target: SaveTarget, options: Omit<SaveOptions, "merged"> = {}): Promise<void> {
  checkOptionNames(options, ["dtype", "signal"]);
  checkSaveOptions(options);
  const { dtype = "f32", signal } = options;
  const { loaded } = llava.parts;
  const adapters = adaptersOf(loaded);
  if (adapters.length === 0) throw new OptionError("saveLora", "a model with adapters", "one without");
  const write = (sink: ByteSink, slots: Iterable<Slot>) => writeSafetensors(sink, tensorsOf(loaded.gpu, slots, dtype), { format: "pt" }, signal);
  const sinks: ByteSink[] = [];
  try {
    const config = await openSink(target, CONFIG);
    sinks.push(config);
    await config.write(new TextEncoder().encode(`${JSON.stringify(adapterConfig(adapters, loaded.folder.name), null, 2)}\n`));
    const others = await openSink(target, OTHERS);
    sinks.push(others);
    await write(keepOpen(others), learntSlots(loaded).values());
    const weights = await openSink(target, WEIGHTS);
    // From here on `writeSafetensors` closes or aborts all sinks.
    await write(closeTogether(sinks.splice(0), weights), adapterSlots(loaded));
  } catch (error) {
    for (const sink of sinks) await sink.abort();
    throw error;
  }
}

/**
 * Loads adapters in peft's layout beside a model's weights, and what `saveLora` wrote with them. Names of all layouts that
 * the checkpoints have are understood, also those of LLaVA's own adapters. The model answers with them at once; `lora:
 * "loaded"` trains them further, `mergeLora` merges them.
 *
 * Throws `WeightError` for files that do not fit, before anything is changed; `OptionError` for a model that has adapters.
 */
export async function loadLora(llava: Trainable, source: FolderSource): Promise<void> {
  const { loaded } = llava.parts;
  if (adaptersOf(loaded).length > 0) throw new OptionError("lora", "a model without adapters (see mergeLora and removeLora)", "one that has some");
  const folder = await openFolder(source);
  const settings = parseAdapterConfig(await folder.json(CONFIG), `${CONFIG} of ${folder.name}`);
  const modules = await linearModules(loaded);
  const adapters = await withTensors(folder, WEIGHTS, (file) => readAdapters(file, modules, settings));
  const others = (await folder.has(OTHERS)) ? await withTensors(folder, OTHERS, (file) => readOthers(file, llava)) : [];
  await attachAdapters(llava, adapters);
  await replaceWeights(llava, others);
}

function adapterConfig(adapters: readonly Adapter[], base: string): Record<string, unknown> {
  const alphaOf = ({ scale, a }: Adapter) => scale * a.shape[0]!;
  const [first] = adapters as [Adapter, ...Adapter[]];
  const [rank, alpha] = [first.a.shape[0]!, alphaOf(first)];
  const differing = <T>(value: (adapter: Adapter) => T, usual: T) =>
    Object.fromEntries(adapters.filter((adapter) => value(adapter) !== usual).map((adapter) => [adapter.module, value(adapter)]));
  return {
    peft_type: "LORA",
    task_type: null,
    base_model_name_or_path: base,
    inference_mode: true,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: first.dropout,
    target_modules: adapters.map(({ module }) => module),
    rank_pattern: differing(({ a }) => a.shape[0]!, rank),
    alpha_pattern: differing(alphaOf, alpha),
    bias: "none",
    fan_in_fan_out: false,
    init_lora_weights: true,
    modules_to_save: null,
    use_dora: false,
    use_rslora: false,
  };
}

function tensorsOf(gpu: Gpu, slots: Iterable<Slot>, type: SaveType): TensorToWrite[] {
  const dtype = type.toUpperCase() as DType;
  return [...slots].map(({ foreignName, shape, parameter, offset, count }) => {
    return { name: foreignName, dtype, shape, data: cast(readPieces(gpu, parameter.block.buffer, offset, count), dtype) };
  });
}

async function* cast(pieces: AsyncIterable<Uint8Array>, dtype: DType): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield dtype === "F32" ? piece : fromFloat32(toFloat32(piece, "F32"), dtype);
}

/** The tensors of one file. */
interface TensorFile {
  readonly name: string;
  readonly tensors: SafetensorsHeader["tensors"];
  read(name: string): Promise<Float32Array>;
}

async function withTensors<T>(folder: Folder, file: string, use: (file: TensorFile) => Promise<T>): Promise<T> {
  if (!(await folder.has(file))) {
    throw new WeightError(`${folder.name}: expected ${file} beside ${CONFIG}, got none; save the adapter as safetensors`, { file });
  }
  const source = await folder.open(file);
  try {
    const { tensors } = await readHeader(source);
    for (const [name, { dtype }] of tensors) {
      const types: readonly DType[] = ["F32", "F16", "BF16"];
      if (!types.includes(dtype)) throw mismatch(source.name, name, types.join(", "), dtype);
    }
    const read = async (name: string): Promise<Float32Array> => {
      const { dtype, start, end } = tensors.get(name)!;
      return toFloat32(await source.read(start, end), dtype);
    };
    return await use({ name: source.name, tensors, read });
  } finally {
    await source.close();
  }
}

async function readAdapters(file: TensorFile, modules: readonly LinearModule[], settings: AdapterSettings): Promise<NewAdapter[]> {
  const byName = new Map(modules.map((module) => [`${module.name}.weight`, module]));
  const pairs = new Map<LinearModule, { A?: string; B?: string }>();
  for (const tensor of file.tensors.keys()) {
    const [, path, letter] = /^(?:base_model\.model\.)?(.+)\.lora_([AB])(?:\.default)?\.weight$/.exec(tensor) ?? [];
    const module = byName.get(canonicalName(`${path}.weight`) ?? "");
    if (!module) throw mismatch(file.name, tensor, "lora_A and lora_B of this model's linear layers", "another tensor");
    const pair = pairs.get(module) ?? {};
    const side = letter as "A" | "B";
    if (pair[side]) throw mismatch(file.name, tensor, "one tensor for each side of an adapter", `${pair[side]} too`);
    pair[side] = tensor;
    pairs.set(module, pair);
  }
  if (pairs.size === 0) throw new WeightError(`${file.name}: expected tensors of adapters, got none`, { file: file.name });
  const adapters: NewAdapter[] = [];
  for (const module of modules) {
    const pair = pairs.get(module);
    if (!pair) continue;
    const { A, B } = pair;
    if (!A || !B) throw mismatch(file.name, (A ?? B)!, "both lora_A and lora_B", "one of them");
    const rank = file.tensors.get(A)!.shape[0] ?? 0;
    if (rank === 0) throw mismatch(file.name, A, `[rank, ${module.inputs}]`, shapeText(file.tensors.get(A)!.shape));
    expectFileShape(file, A, [rank, module.inputs]);
    expectFileShape(file, B, [module.rows, rank]);
    adapters.push({ module, rank, a: await file.read(A), b: await file.read(B), scale: settings.scale(module.module, rank), dropout: settings.dropout });
  }
  return adapters;
}

interface Replacement {
  readonly slot: Slot;
  readonly values: Float32Array;
}

async function readOthers(file: TensorFile, { parts: { loaded } }: Trainable): Promise<Replacement[]> {
  const slots = [...loaded.model.parameters.values()].flatMap((parameter) => slotsOf(parameter, (name) => name));
  const byName = new Map(slots.map((slot) => [slot.name, slot]));
  const found: Replacement[] = [];
  for (const tensor of file.tensors.keys()) {
    const slot = byName.get(canonicalName(tensor) ?? "");
    if (!slot) throw mismatch(file.name, tensor, "weights of this model", "another tensor");
    expectFileShape(file, tensor, slot.shape);
    found.push({ slot: { ...slot, foreignName: tensor }, values: await file.read(tensor) });
  }
  return found;
}

async function replaceWeights({ parts: { loaded, runtime } }: Trainable, replacements: readonly Replacement[]): Promise<void> {
  const workspace = new Workspace(loaded.gpu);
  for (const { slot, values } of replacements) {
    await makeMaster(loaded.gpu, workspace, slot.parameter);
    loaded.gpu.write(slot.parameter.block.buffer, slot.offset * 4, values);
  }
  workspace.dispose();
  markLearnt(loaded, replacements.map(({ slot }) => slot));
  runtime.weightsMoved();
}

function expectFileShape(file: TensorFile, tensor: string, wanted: readonly number[]): void {
  const [expected, got] = [shapeText(wanted), shapeText(file.tensors.get(tensor)!.shape)];
  if (expected !== got) throw mismatch(file.name, tensor, expected, got);
}

function mismatch(file: string, tensor: string, expected: string, got: string): WeightError {
  return new WeightError(`${file}: expected ${expected}, got ${got} (${tensor}); check that the adapter belongs to this model`, { file, tensor, expected, got });
}
