/** Random weights for real shapes: as a checkpoint in memory, loaded as any other, and as numbers for a reference. */
import { Random } from "../../kernels/random.ts";
import type { Gpu } from "../../src/gpu/gpu.ts";
import type { Parameter, ParameterPart } from "../../src/graph/tensor.ts";
import { loadWeights } from "../../src/models/load.ts";
import { blobSink, Checkpoint, fromFloat32, openFolder, toFloat32, writeSafetensors } from "../../weights/index.ts";

/** The values of checkpoint tensors by their canonical names. */
export type Weights = ReadonlyMap<string, Float32Array>;

const FILE = "model.safetensors";

/**
 * Values for all tensors of `parameters`, as trained models have them by size: matrices of deviation 1 / √inputs, so that
 * activations keep their size, norm weights near 1 and biases near 0. Matrices are rounded to `type`.
 */
export function randomWeights(parameters: ReadonlyMap<string, Parameter>, type: "f32" | "f16", seed: number): Weights {
  const random = new Random(seed);
  const weights = new Map<string, Float32Array>();
  for (const { kind, parts } of parameters.values()) {
    for (const part of parts) {
      const values = draw(random, part, kind);
      const isRounded = kind === "matrix" && type === "f16";
      weights.set(part.name, isRounded ? toFloat32(fromFloat32(values, "F16"), "F16") : values);
    }
  }
  return weights;
}

/** Brings the values to the GPU by way of a safetensors file in memory. */
export async function loadRandomWeights(
  parameters: ReadonlyMap<string, Parameter>,
  weights: Weights,
  type: "f32" | "f16",
  gpu: Gpu,
): Promise<void> {
  const tensors = [...parameters.values()].flatMap(({ kind, parts }) =>
    parts.map(({ name, shape }) => {
      const dtype = kind === "matrix" && type === "f16" ? ("F16" as const) : ("F32" as const);
      return { name, shape, dtype, data: fromFloat32(weights.get(name)!, dtype) };
    }),
  );
  const sink = blobSink(FILE);
  await writeSafetensors(sink, tensors);
  const checkpoint = await Checkpoint.open(await openFolder({ [FILE]: sink.blob() }), { rename: (name) => name });
  await loadWeights(parameters, checkpoint, gpu);
  await checkpoint.close();
}

function draw(random: Random, { name, shape }: ParameterPart, kind: Parameter["kind"]): Float32Array {
  const size = shape.reduce((product, length) => product * length, 1);
  const isNorm = kind === "vector" && name.endsWith("weight");
  const deviation = kind === "vector" ? 0.1 : Math.sqrt(shape[0] / size);
  const [middle, reach] = [isNorm ? 1 : 0, deviation * Math.sqrt(3)];
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) values[i] = middle + reach * (2 * random.uniform() - 1);
  return values;
}
