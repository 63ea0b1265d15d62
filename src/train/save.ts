/** A trained model as a folder in Hugging Face's layout. */
import {
  type ByteSink, Checkpoint, type DType, type Folder, fromFloat32, toFloat32, type TensorInfo, type TensorToWrite, writeSafetensors,
} from "../../weights/index.ts";
import { canonicalName } from "../../weights/names.ts";
import { OptionError } from "../generate/errors.ts";
import { checkOptionNames, checkSignal } from "../generate/options.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Adapter } from "../graph/tensor.ts";
import { learntSlots } from "./learnt.ts";
import { adapterProduct, adaptersByWeight } from "./lora.ts";
import type { Slot } from "./slots.ts";
import { closeTogether, openSink, type SaveTarget } from "./target.ts";
import type { Trainable } from "./trainable.ts";
import { pieceRanges, readPieces } from "./transfer.ts";

/** Element types that weights are saved in. */
export type SaveType = "f32" | "f16" | "bf16";

export interface SaveOptions {
  /** Element type of all weights. Absent: each tensor keeps the type that it has in the model's files. */
  readonly dtype?: SaveType;
  /**
   * For a model with adapters: write the whole model, each adapter added to its weight, W + scale · B A. Default false:
   * `Trainer.save` writes the adapters alone, `saveModel` the model without them.
   */
  readonly merged?: boolean;
  readonly signal?: AbortSignal;
}

const types: Record<SaveType, { readonly dtype: DType; readonly torch: string }> = {
  f32: { dtype: "F32", torch: "float32" },
  f16: { dtype: "F16", torch: "float16" },
  bf16: { dtype: "BF16", torch: "bfloat16" },
};

/** Files beside the weights that transformers may read. */
const companions = [
  "config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json",
  "chat_template.jinja", "chat_template.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model",
  "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
];

const WEIGHTS = "model.safetensors";

/**
 * Writes a model as it is on the GPU: configuration, tokenizer and processor files as they are in the folder that it was
 * loaded from, and every tensor of its checkpoint under its own name. What never learnt is copied from there; the rest is
 * read back and rounded to the nearest value of the file's type. `merged` adds adapters on the way to the file; on the GPU
 * they stay beside their weights, so that training can go on.
 *
 * The files appear under their names when all are whole. Throws `OptionError`, `WeightError`; the signal's reason.
 */
export async function saveModel({ parts: { loaded } }: Trainable, target: SaveTarget, options: SaveOptions = {}): Promise<void> {
  checkSaveOptions(options);
  const { dtype, merged = false, signal } = options;
  const { folder, config, gpu } = loaded;
  const source = await Checkpoint.open(folder, { rename: (name) => name, ...(signal ? { signal } : {}) });
  const sinks: ByteSink[] = [];
  try {
    for (const file of companions) {
      if (!(await folder.has(file, signal))) continue;
      const sink = await openSink(target, file);
      sinks.push(sink);
      if (file === "config.json" && dtype) await sink.write(await retyped(folder, types[dtype].torch));
      else await copyFile(folder, file, sink, signal);
    }
    const adapters = merged ? adaptersByWeight(loaded) : new Map<string, Adapter>();
    const learnt = byCanonicalName(learntSlots(loaded).values());
    const tensors = source.names().map((name): TensorToWrite => {
      const info = source.info(name);
      const type = dtype && isFloat(info.dtype) ? types[dtype].dtype : info.dtype;
      const canonical = tiedName(canonicalName(name), config.text.tied);
      const [slot, adapter] = [learnt.get(canonical), adapters.get(canonical)];
      const pieces = slot ? readPieces(gpu, slot.parameter.block.buffer, slot.offset, slot.count) : filePieces(source, name, info, signal);
      const from = slot ? "F32" : info.dtype;
      const data = adapter ? cast(addAdapter(pieces, from, gpu, adapter), "F32", type) : cast(pieces, from, type);
      return { name, dtype: type, shape: info.shape, data };
    });
    const weights = await openSink(target, WEIGHTS);
    // From here on `writeSafetensors` closes or aborts all sinks.
    const together = closeTogether(sinks.splice(0), weights);
    await writeSafetensors(together, tensors, { format: "pt" }, signal);
  } catch (error) {
    for (const sink of sinks) await sink.abort();
    throw error;
  } finally {
    await source.close();
  }
}

/** Throws `OptionError`. */
export function checkSaveOptions(options: SaveOptions): void {
  checkOptionNames(options, ["dtype", "merged", "signal"]);
  const { dtype, merged, signal } = options;
  if (dtype !== undefined && !Object.hasOwn(types, dtype)) throw new OptionError("dtype", '"f32", "f16" or "bf16"', dtype);
  if (merged !== undefined && typeof merged !== "boolean") throw new OptionError("merged", "true or false", merged);
  checkSignal(signal);
}

/** A head that is the embedding's matrix may lie in the file nonetheless. */
function tiedName(name: string | null, tied: boolean): string {
  return tied && name === "language.head.weight" ? "language.embedding.weight" : (name ?? "");
}

function byCanonicalName(slots: Iterable<Slot>): Map<string, Slot> {
  return new Map([...slots].map((slot) => [slot.name, slot]));
}

const isFloat = (dtype: DType): boolean => ["F64", "F32", "F16", "BF16"].includes(dtype);

async function* cast(pieces: AsyncIterable<Uint8Array>, from: DType, to: DType): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield from === to ? piece : fromFloat32(toFloat32(piece, from), to);
}

/** W + scale · B A in f32, by the pieces of W. The product is on the GPU only as long as this weight is written. */
async function* addAdapter(weight: AsyncIterable<Uint8Array>, from: DType, gpu: Gpu, adapter: Adapter): AsyncGenerator<Uint8Array> {
  const product = await adapterProduct(gpu, adapter);
  try {
    let at = 0;
    for await (const piece of weight) {
      const values = toFloat32(piece, from);
      const change = new Float32Array(await gpu.read(product, at * 4, values.length * 4));
      for (let i = 0; i < values.length; i++) values[i]! += adapter.scale * change[i]!;
      at += values.length;
      yield fromFloat32(values, "F32");
    }
  } finally {
    gpu.free(product);
  }
}

/** A tensor of a file, by pieces of whole rows. */
async function* filePieces(source: Checkpoint, name: string, { shape, start, end }: TensorInfo, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const options = signal ? { signal } : {};
  const [rows = 0] = shape;
  if (rows === 0) {
    yield await source.read(name, options);
    return;
  }
  const pieces = Math.min(rows, Math.max(1, pieceRanges(end - start).length));
  const step = Math.ceil(rows / pieces);
  for (let row = 0; row < rows; row += step) yield await source.read(name, { rows: [row, Math.min(rows, row + step)], ...options });
}

async function copyFile(folder: Folder, file: string, sink: ByteSink, signal?: AbortSignal): Promise<void> {
  const source = await folder.open(file, signal);
  try {
    for (const [start, end] of pieceRanges(source.size)) await sink.write(await source.read(start, end, signal));
  } finally {
    await source.close();
  }
}

/** `config.json` with another element type wherever it names one. Numbers stay as they are written: transformers takes 1.0 for 1.0 only. */
async function retyped(folder: Folder, torch: string): Promise<Uint8Array> {
  const text = await folder.text("config.json");
  return new TextEncoder().encode(text.replace(/("(?:torch_)?dtype"\s*:\s*)"[^"]*"/g, `$1"${torch}"`));
}
