/** Times kernels, each after its result was compared with the CPU reference. */
import type { Family, HostArrays, WeightType } from "../kernels/kernel.ts";
import { Random } from "../kernels/random.ts";
import type { Gpu } from "../src/gpu/gpu.ts";
import { chooseKernel } from "../src/graph/choose.ts";
import { difference, tolerance } from "../test/harness/difference.ts";
import { packWeight } from "../test/harness/run-kernel.ts";
import { toFloat32 } from "../weights/dtype.ts";
import { Dispatch, type Work } from "./dispatch.ts";
import { race, type RaceOptions, type Timing } from "./measure.ts";
import type { KernelRecord, Peaks } from "./records.ts";
import type { Workload } from "./workloads.ts";

/** A variant that gave the right result. */
export interface Verified {
  readonly work: Work;
  readonly error: number;
  readonly allowed: number;
}

/** Runs every variant of a workload once and compares it with the reference. Wrong ones are reported and left out. */
export async function verifyWorkload(gpu: Gpu, { label, family, example, weights, keep }: Workload, fail: (message: string) => void): Promise<Verified[]> {
  const verified: Verified[] = [];
  const { params } = example;
  const given = example.inputs(new Random(7));
  for (const weight of weights) {
    const inputs = withStoredWeight(family, given, weight);
    const outputs = family.reference(inputs, params);
    const allowed = tolerance(example.reduction, example.builtins);
    for (const kernel of family.variants) {
      const usable = kernel.needs.every((feature) => gpu.traits.features.has(feature)) && kernel.accepts?.(params, gpu.traits) !== false;
      if (!usable || keep?.(kernel) === false) continue;
      const work = { family, kernel, weight, params, inputs, outputs };
      const name = `${label}: ${kernel.name} ${weight}`;
      try {
        const error = await errorOf(gpu, work);
        if (error <= allowed) verified.push({ work, error, allowed });
        else fail(`${name}: off by ${error.toExponential(2)} of the largest value, allowed ${allowed.toExponential(2)}`);
      } catch (problem) {
        fail(`${name}: ${(problem as Error).message}`);
      }
    }
  }
  return verified;
}

/** Times verified variants of one workload against each other. */
export async function timeVariants(gpu: Gpu, adapter: string, label: string, verified: readonly Verified[], peaks: Peaks, options: RaceOptions): Promise<KernelRecord[]> {
  const dispatches: Dispatch[] = [];
  try {
    for (const { work } of verified) dispatches.push(await Dispatch.create(gpu, work));
    const timings = await race(dispatches, options);
    return verified.map(({ work, error, allowed }, i) => {
      const { flops, bytes } = ratesOf(work, timings[i]);
      return {
        workload: label,
        kernel: work.kernel.name,
        weight: work.family.weight ? work.weight : "",
        adapter,
        chosen: chooseKernel(work.family, work.params, gpu.traits).name === work.kernel.name,
        error,
        allowed,
        timing: timings[i],
        flops,
        bytes,
        ofMultiplyAdd: flops / peaks.multiplyAdd,
        ofCopy: bytes / peaks.copy,
      };
    });
  } finally {
    for (const dispatch of dispatches) dispatch.dispose();
  }
}

/** Operations and bytes per second by the median time. A family's cost counts f32 weights; shorter ones take fewer bytes. */
export function ratesOf({ family, params, weight, inputs }: Work, { median }: Timing): { flops: number; bytes: number } {
  const { flops, bytes } = family.cost(params);
  const saved = family.weight && weight !== "f32" ? 2 * inputs[family.weight].length : 0;
  return { flops: (flops / median) * 1e3, bytes: ((bytes - saved) / median) * 1e3 };
}

/** The inputs with the weight rounded to what its element type can hold. */
function withStoredWeight(family: Family, inputs: HostArrays, weight: WeightType): HostArrays {
  if (!family.weight || weight === "f32") return inputs;
  const packed = packWeight(inputs[family.weight] as Float32Array, weight);
  return { ...inputs, [family.weight]: toFloat32(packed, weight === "f16" ? "F16" : "BF16") };
}

async function errorOf(gpu: Gpu, work: Work): Promise<number> {
  const dispatch = await Dispatch.create(gpu, work);
  try {
    const results = await dispatch.call([], work.kernel.write);
    return Math.max(...work.kernel.write.map((name, i) => difference(results[i], work.outputs[name]).share));
  } finally {
    dispatch.dispose();
  }
}
