/** LoRA (Hu et al. 2021): low-rank adapters beside frozen weights. */
import { matmulNN } from "../../kernels/index.ts";
import { Random } from "../../kernels/random.ts";
import { OptionError } from "../generate/errors.ts";
import { checkOptionNames } from "../generate/options.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { Graph } from "../graph/graph.ts";
import { Program } from "../graph/program.ts";
import { type Adapter, elements, isTensor, type Operand, Parameter } from "../graph/tensor.ts";
import { Workspace } from "../graph/workspace.ts";
import type { LoadedModel } from "../models/loaded.ts";
import { addInto } from "../ops/index.ts";
import { markLearnt } from "./learnt.ts";
import { type LinearModule, linearModules, selectModules } from "./lora-modules.ts";
import { makeMaster } from "./master.ts";
import { modelSlots, type Slot, slotsOf } from "./slots.ts";
import type { Trainable } from "./trainable.ts";

/** All linear layers of the language model's blocks. */
export const defaultTargets: readonly string[] = ["language.layers.**"];

export interface LoraOptions {
  /** Rows of A, columns of B. */
  readonly rank: number;
  /** An adapter counts alpha / rank. Default: twice the rank. */
  readonly alpha?: number;
  /** Share of an adapter's inputs that is dropped in training, from 0 to below 1. Default 0. */
  readonly dropout?: number;
  /**
   * Linear layers: ends of module names, such as "q_proj" or "self_attn.q_proj", which mean the language model's; or globs
   * over whole names, such as "vision_tower.**". Default: all linear layers of the language model's blocks.
   */
  readonly targets?: readonly string[];
  /** Of the initial values of A. Default 0. */
  readonly seed?: number;
}

/** One adapter before it is on the GPU: A [rank, inputs] and B [rows, rank]. */
export interface NewAdapter {
  readonly module: LinearModule;
  readonly rank: number;
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly scale: number;
  readonly dropout: number;
}

/**
 * Puts adapters beside the linear layers that `targets` name. A is drawn as peft does it (Kaiming-uniform with a = sqrt 5:
 * between ±1 / sqrt(inputs)), B is zero, so that the model computes what it did. The weights themselves are not touched
 * and may be f16.
 *
 * Throws `OptionError`, also for a model that has adapters already; `GpuMemoryError`.
 */
export async function addLora(llava: Trainable, options: LoraOptions): Promise<void> {
  checkLoraOptions(options);
  const { rank, alpha = 2 * rank, dropout = 0, targets = defaultTargets, seed = 0 } = options;
  const random = new Random(seed);
  const modules = selectModules(await linearModules(llava.parts.loaded), targets);
  const adapters = modules.map((module): NewAdapter => {
    const bound = 1 / Math.sqrt(module.inputs);
    const a = Float32Array.from({ length: rank * module.inputs }, () => bound * (2 * random.uniform() - 1));
    return { module, rank, a, b: new Float32Array(module.rows * rank), scale: alpha / rank, dropout };
  });
  await attachAdapters(llava, adapters);
}

/** Puts given adapters beside their layers. Throws `OptionError` if the model has some already, `GpuMemoryError`. */
export async function attachAdapters(llava: Trainable, adapters: readonly NewAdapter[]): Promise<void> {
  const { loaded, runtime } = llava.parts;
  if (adaptersOf(loaded).length > 0) throw new OptionError("lora", "a model without adapters (see mergeLora and removeLora)", "one that has some");
  const made: { readonly parameter: Parameter; readonly adapter: Adapter }[] = [];
  try {
    for (const { module, rank, a, b, scale, dropout } of adapters) {
      const { name, module: path, firstRow, rows, inputs } = module;
      const pair = { a: declare(`${name}.loraA.weight`, [rank, inputs]), b: declare(`${name}.loraB.weight`, [rows, rank]) };
      made.push({ parameter: module.parameter, adapter: { module: path, firstRow, rows, ...pair, scale, dropout } });
      await fill(loaded.gpu, pair.a, a);
      await fill(loaded.gpu, pair.b, b);
    }
  } catch (error) {
    for (const { adapter } of made) free(loaded.gpu, adapter);
    throw error;
  }
  for (const { parameter, adapter } of made) parameter.adapters = [...parameter.adapters, adapter];
  runtime.weightsMoved();
}

/** All adapters of a model, in its order. */
export function adaptersOf({ model }: LoadedModel): Adapter[] {
  return [...model.parameters.values()].flatMap(({ adapters }) => adapters);
}

/** All adapters of a model, by the canonical names of the weights that they change. */
export function adaptersByWeight({ model }: LoadedModel): Map<string, Adapter> {
  const pairs = [...model.parameters.values()].flatMap((parameter) => {
    const slots = slotsOf(parameter, (name) => name);
    return parameter.adapters.map((adapter) => [slots.find(({ offset }) => offset === adapter.firstRow * parameter.shape[1]!)!.name, adapter] as const);
  });
  return new Map(pairs);
}

/** The slots of all adapters, under the names that peft gives to their tensors. */
export function adapterSlots(loaded: LoadedModel): Slot[] {
  return adaptersOf(loaded).flatMap(({ module, a, b }) => [
    ...slotsOf(a, () => `base_model.model.${module}.lora_A.weight`),
    ...slotsOf(b, () => `base_model.model.${module}.lora_B.weight`),
  ]);
}

/**
 * Adds every adapter to its weight, W + scale · B A, and removes it. Merged weights are f32 on the GPU from then on, and
 * are saved with the model. Dispose of trainers that train the adapters first. Throws `GpuMemoryError`.
 */
export async function mergeLora(llava: Trainable): Promise<void> {
  const { loaded } = llava.parts;
  const { gpu, model } = loaded;
  const adapted = [...model.parameters.values()].filter(({ adapters }) => adapters.length > 0);
  const workspace = new Workspace(gpu);
  try {
    for (const parameter of adapted) await makeMaster(gpu, workspace, parameter);
    const program = await Program.compile(traceMerge(adapted), workspace, { outputs: {} });
    program.run({});
    await gpu.idle();
    program.dispose();
  } finally {
    workspace.dispose();
  }
  const merged = adaptersByWeight(loaded);
  markLearnt(loaded, (await modelSlots(loaded)).filter(({ name }) => merged.has(name)));
  removeLora(llava);
}

/** B A [rows, inputs] of an adapter, not yet scaled, in a buffer that the caller frees. Throws `GpuMemoryError`. */
export async function adapterProduct(gpu: Gpu, adapter: Adapter): Promise<GPUBuffer> {
  const shape = [adapter.rows, adapter.a.shape[1]!];
  const label = `change of ${adapter.module}`;
  const buffer = await gpu.allocateStorage(label, elements(shape) * 4);
  const workspace = new Workspace(gpu);
  try {
    const graph = new Graph();
    recordProduct(graph, adapter, { label, shape, type: "f32", buffer });
    const program = await Program.compile(graph, workspace, { outputs: {} });
    program.run({});
    await gpu.idle();
    program.dispose();
    return buffer;
  } catch (error) {
    gpu.free(buffer);
    throw error;
  } finally {
    workspace.dispose();
  }
}

/** Takes all adapters away; the model computes what its weights say. Dispose of trainers that train them first. */
export function removeLora({ parts: { loaded, runtime } }: Trainable): void {
  for (const parameter of loaded.model.parameters.values()) {
    for (const adapter of parameter.adapters) free(loaded.gpu, adapter);
    parameter.adapters = [];
  }
  runtime.weightsMoved();
}

/** Throws `OptionError`. */
export function checkLoraOptions(options: LoraOptions): void {
  checkOptionNames(options, ["rank", "alpha", "dropout", "targets", "seed"], "lora");
  const { rank, alpha, dropout, targets, seed } = options;
  if (!(Number.isInteger(rank) && rank >= 1)) throw new OptionError("lora.rank", "an integer of at least 1", rank);
  if (alpha !== undefined && !(Number.isFinite(alpha) && alpha > 0)) throw new OptionError("lora.alpha", "a number above 0", alpha);
  if (dropout !== undefined && !(Number.isFinite(dropout) && dropout >= 0 && dropout < 1)) throw new OptionError("lora.dropout", "a number from 0 to below 1", dropout);
  if (seed !== undefined && !Number.isInteger(seed)) throw new OptionError("lora.seed", "an integer", seed);
  const names = Array.isArray(targets) && targets.length > 0 && targets.every((target) => typeof target === "string");
  if (targets !== undefined && !names) throw new OptionError("lora.targets", "a list of module names or globs", targets);
}

/** W[firstRow + n, k] += scale · Σ_j B[n, j] A[j, k], for all adapters. */
function traceMerge(adapted: readonly Parameter[]): Graph {
  const graph = new Graph();
  for (const { block, adapters } of adapted) {
    for (const adapter of adapters) {
      const { firstRow, rows, a, scale } = adapter;
      const inputs = a.shape[1]!;
      const change = graph.value([rows, inputs]);
      recordProduct(graph, adapter, change);
      addInto(change, block, { rows, width: inputs, toRow: firstRow }, scale);
    }
  }
  return graph;
}

/** y[n, k] = Σ_j B[n, j] A[j, k] */
function recordProduct(graph: Graph, { rows, a, b }: Adapter, y: Operand): void {
  const [rank, inputs] = a.shape as [number, number];
  const params = { rows, columns: inputs, inner: rank, xStride: rank, xOffset: 0, yStride: inputs, accumulate: 0 };
  const call = { family: matmulNN, read: { x: b.block, weight: a.block }, write: { y }, params };
  graph.record({ op: "adapterProduct", inputs: [a, b], outputs: isTensor(y) ? [y] : [], calls: [call] });
}

function declare(name: string, shape: readonly [number, number]): Parameter {
  return new Parameter(name, shape, "matrix", [{ name, shape }]);
}

async function fill(gpu: Gpu, parameter: Parameter, values: Float32Array): Promise<void> {
  const buffer = await gpu.allocateStorage(parameter.path, values.byteLength);
  parameter.blocks = [{ label: parameter.path, shape: parameter.shape, type: "f32", buffer, firstRow: 0 }];
  gpu.write(buffer, 0, values);
}

function free(gpu: Gpu, { a, b }: Adapter): void {
  for (const { buffer } of [...a.blocks, ...b.blocks]) gpu.free(buffer);
}
