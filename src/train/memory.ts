/** What a training step takes of a GPU's memory, planned before anything is allocated. */
import { GpuMemoryError } from "../gpu/error.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Graph } from "../graph/graph.ts";
import { plan } from "../graph/plan.ts";
import { PARAMS_STRIDE } from "../graph/steps.ts";
import { elements, isTensor, type Parameter, type Tensor } from "../graph/tensor.ts";
import type { Workspace } from "../graph/workspace.ts";
import type { TrainingBatch } from "./training-batch.ts";

/** Bytes of a training run on the GPU. */
export interface MemoryPlan {
  /** Weights as they are kept: f32 where they learn, else as they were loaded. */
  readonly parameters: number;
  readonly gradients: number;
  /** The moments of everything that learns: two with AdamW, one with Muon. */
  readonly optimizer: number;
  /** Values between the operations of a step, its inputs and the parameters of its kernels. */
  readonly activations: number;
  /** What answering questions needs: the cache of keys and values, image rows, tables. */
  readonly inference: number;
  readonly total: number;
}

/** What a traced program takes: its share of the arenas, which programs have in common, and buffers of its own. */
export interface ProgramBytes {
  readonly arenas: readonly number[];
  readonly own: number;
  /** The largest range that one binding covers. */
  readonly largest: number;
}

const rounded = (bytes: number): number => Math.max(16, Math.ceil(bytes / 16) * 16);

/** Plans a traced program as `Program.compile` will. */
export function programBytes(graph: Graph, outputs: readonly Tensor[], gpu: Gpu): ProgramBytes {
  const { calls, places, arenas } = plan(graph, outputs, gpu.limits.maxBufferSize);
  const operands = calls.flatMap((call) => Object.values(call.read)).flatMap((operand) => (isTensor(operand) ? [operand.root] : []));
  const used = new Set([...operands, ...outputs.map(({ root }) => root)]);
  const inputs = [...graph.inputs.values()].filter((tensor) => used.has(tensor)).map((tensor) => rounded(tensor.size * 4));
  const changing = calls.filter(({ params }) => Object.values(params).some((value) => typeof value === "object")).length;
  const blocks = rounded(changing * PARAMS_STRIDE) + rounded((calls.length - changing) * PARAMS_STRIDE);
  const staging = outputs.reduce((sum, tensor) => sum + rounded(tensor.size * 4), 0);
  return {
    arenas: arenas.map(rounded),
    own: inputs.reduce((sum, bytes) => sum + bytes, 0) + blocks + staging,
    largest: Math.max(0, ...inputs, ...[...places.values()].map(({ bytes }) => bytes)),
  };
}

/** Bytes of the buffers of all parameters. */
export function parameterBytes(parameters: ReadonlyMap<string, Parameter>): number {
  return [...parameters.values()].flatMap(({ blocks }) => blocks).reduce((sum, { buffer }) => sum + buffer.size, 0);
}

/** The first `count` samples of a batch, padded as they are. */
export function firstSamples(batch: TrainingBatch, count: number): TrainingBatch {
  const { inputIds, labels, attentionMask, pixelValues, imageSizes, imagesPerSample, sampleIds } = batch;
  const pictures = imagesPerSample ? imagesPerSample.slice(0, count).reduce((sum, each) => sum + each, 0) : Math.min(count, pixelValues?.shape[0] ?? 0);
  const each = pixelValues ? elements(pixelValues.shape.slice(1)) : 0;
  return {
    inputIds: inputIds.slice(0, count),
    labels: labels.slice(0, count),
    ...(attentionMask ? { attentionMask: attentionMask.slice(0, count) } : {}),
    ...(pixelValues && pictures > 0 ? { pixelValues: { shape: [pictures, ...pixelValues.shape.slice(1)], data: pixelValues.data.subarray(0, pictures * each) } } : {}),
    ...(imageSizes ? { imageSizes: imageSizes.slice(0, pictures) } : {}),
    ...(imagesPerSample ? { imagesPerSample: imagesPerSample.slice(0, count) } : {}),
    ...(sampleIds ? { sampleIds: sampleIds.slice(0, count) } : {}),
  };
}

/** Bytes that all programs of a workspace have in common. */
export function arenaBytes({ arenas }: Workspace): number {
  return arenas.reduce((sum, { size }) => sum + size, 0);
}

/**
 * The error of a batch that the GPU has no room for: says how many of its samples fit.
 *
 * @param error what compiling its program threw
 * @param bytesOf plans the program of a batch
 */
export async function batchTooLarge(
  error: GpuMemoryError,
  batch: TrainingBatch,
  gpu: Gpu,
  workspace: Workspace,
  bytesOf: (batch: TrainingBatch) => Promise<ProgramBytes>,
): Promise<GpuMemoryError> {
  const held = arenaBytes(workspace);
  const sizeOf = async (count: number) => {
    const { arenas, own, largest } = await bytesOf(firstSamples(batch, count));
    return { bytes: own + arenas.reduce((sum, bytes) => sum + bytes, 0), largest };
  };
  const samples = batch.inputIds.length;
  const { bytes } = await sizeOf(samples);
  // A limit of the adapter is known; of its memory only that what is in use now fits, and that the whole did not.
  const fits = async (count: number): Promise<boolean> => {
    const need = await sizeOf(count);
    return need.largest <= gpu.limits.maxStorageBufferBindingSize && (error.limit !== undefined || need.bytes <= Math.max(held, bytes / 2));
  };
  let fitting = 0;
  for (let tooMany = samples; tooMany - fitting > 1; ) {
    const middle = Math.floor((fitting + tooMany) / 2);
    if (await fits(middle)) fitting = middle;
    else tooMany = middle;
  }
  const advice = fitting > 0 ? `${fitting} of them fit: lower the batch size and accumulate instead` : "not even one fits: use shorter samples, fewer tiles or another adapter";
  return new GpuMemoryError(`batch: ${samples} samples need ${bytes} bytes for activations beside the ${gpu.allocated - held} in use; ${advice} (${error.message})`, bytes, error.limit);
}
