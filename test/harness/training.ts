/** Batches and tensors of the training goldens. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { Llava } from "../../src/index.ts";
import type { Batch } from "../../src/train/data/index.ts";
import { slotsOf } from "../../src/train/slots.ts";
import { Checkpoint, openFolder, toFloat32 } from "../../weights/index.ts";

/** All tensors of a safetensors file by name, as f32 (ids and labels are small integers). */
export async function readTensors(path: string): Promise<Map<string, { shape: number[]; data: Float32Array }>> {
  const name = basename(path);
  const checkpoint = await Checkpoint.open(await openFolder({ [name]: new Blob([readFileSync(path)]) }), { rename: (tensor) => tensor });
  const tensors = new Map<string, { shape: number[]; data: Float32Array }>();
  for (const tensor of checkpoint.names()) {
    const { dtype, shape } = checkpoint.info(tensor);
    tensors.set(tensor, { shape: [...shape], data: toFloat32(await checkpoint.read(tensor), dtype) });
  }
  await checkpoint.close();
  return tensors;
}

/** The f32 weights of a model as they are on the GPU, by the checkpoint's tensor names. Others are left out. */
export async function readWeights(llava: Llava): Promise<Map<string, Float32Array>> {
  const { gpu, model, folder } = llava.parts.loaded;
  const checkpoint = await Checkpoint.open(folder);
  await checkpoint.close();
  const weights = new Map<string, Float32Array>();
  for (const parameter of model.parameters.values()) {
    if (parameter.block.type !== "f32") continue;
    for (const { foreignName, offset, count } of slotsOf(parameter, (name) => checkpoint.info(name).foreignName)) {
      weights.set(foreignName, new Float32Array(await gpu.read(parameter.block.buffer, offset * 4, count * 4)));
    }
  }
  return weights;
}

type GoldenBatch = Pick<Batch, "inputIds" | "labels" | "attentionMask"> & Partial<Batch>;

/** A batch as the goldens store it; `prefix` picks one of several in the file. */
export async function readBatch(path: string, prefix = ""): Promise<GoldenBatch> {
  return batchOf(await readTensors(path), prefix);
}

export function batchOf(tensors: ReadonlyMap<string, { shape: number[]; data: Float32Array }>, prefix = ""): GoldenBatch {
  const get = (name: string) => tensors.get(prefix + name);
  const rows = (name: string): number[][] => {
    const { shape, data } = get(name)!;
    const width = shape[1]!;
    return Array.from({ length: shape[0]! }, (_, b) => Array.from(data.subarray(b * width, (b + 1) * width)));
  };
  const pixelValues = get("pixel_values");
  return {
    inputIds: rows("input_ids"),
    labels: rows("labels"),
    attentionMask: rows("attention_mask"),
    ...(pixelValues ? { pixelValues } : {}),
    ...(get("image_sizes") ? { imageSizes: rows("image_sizes") as [number, number][] } : {}),
    ...(get("batch_num_images") ? { imagesPerSample: Array.from(get("batch_num_images")!.data) } : {}),
  };
}
