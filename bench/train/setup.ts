/** A model of random weights, and a batch to train it on, as folders and files. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeRandomModel } from "../../examples/random-model.ts";
import type { Batch } from "../../src/train/index.ts";
import { createFile, type TensorToWrite, writeSafetensors } from "../../weights/index.ts";
import { writeData } from "./data.ts";
import type { TrainSize } from "./sizes.ts";

const tokenizer = fileURLToPath(new URL("../../examples/tokenizer/", import.meta.url));

/** What a size is trained from. */
export interface TrainFiles {
  /** The model, in Hugging Face's layout. */
  readonly model: string;
  readonly pictures: string;
  /** Samples in LLaVA's JSON. */
  readonly samples: readonly unknown[];
}

/** Writes model and pictures into a folder. */
export async function writeFiles(folder: string, size: TrainSize): Promise<TrainFiles> {
  const [model, pictures] = [join(folder, "model"), join(folder, "pictures")];
  const initialisation = { scaledResiduals: true, embedding: 1, position: 0.3, logits: 0.3 };
  await writeRandomModel(model, { sizes: size.sizes, initialisation, seed: 1, tokenizer });
  return { model, pictures, samples: writeData(pictures, size) };
}

/** Writes a batch as a safetensors file with the names that transformers' models take. */
export async function writeBatch(path: string, { inputIds, labels, attentionMask, pixelValues }: Batch): Promise<void> {
  const rows = (name: string, values: readonly number[][]): TensorToWrite => ({
    name,
    dtype: "I32",
    shape: [values.length, values[0].length],
    data: new Uint8Array(Int32Array.from(values.flat()).buffer),
  });
  const { shape, data } = pixelValues!;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  await writeSafetensors(await createFile(path), [
    rows("input_ids", inputIds),
    rows("labels", labels),
    rows("attention_mask", attentionMask),
    { name: "pixel_values", dtype: "F32", shape, data: bytes },
  ]);
}
