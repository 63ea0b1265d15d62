/** The kernels of a compiled program, each timed alone: what a step would take if nothing but kernels took time. */
import type { Gpu } from "../src/gpu/gpu.ts";
import type { Program } from "../src/graph/program.ts";
import type { Step } from "../src/graph/steps.ts";
import { isTensor, type Operand, Scalar, type Tensor } from "../src/graph/tensor.ts";
import { storageBindings } from "../kernels/kernel.ts";
import { packParams } from "../test/harness/run-kernel.ts";
import { type Contender, timed } from "./measure.ts";

/**
 * Steps of one kernel with equal parameters: the same operation of every layer. They are timed together, in turn, so that each
 * finds its own weights in memory and not in a cache.
 */
export interface StepGroup extends Contender {
  readonly kernel: string;
  readonly dispatches: number;
}

/**
 * Groups the steps of a program. Weights and caches are the program's own (what is written there is of no use afterwards);
 * all other values get buffers of their own, full of zeros, or of what `inputs` has for them. `scalars` holds the program's
 * changing numbers.
 */
export async function stepGroups(
  gpu: Gpu,
  program: Program,
  scalars: Readonly<Record<string, number>>,
  inputs: Readonly<Record<string, Float32Array | Uint32Array>> = {},
): Promise<{ groups: StepGroup[]; dispose: () => void }> {
  const owned: GPUBuffer[] = [];
  const values = new Map<Tensor, GPUBuffer>();
  const bufferOf = async (operand: Operand): Promise<GPUBuffer> => {
    if (!isTensor(operand)) return operand.buffer;
    let buffer = values.get(operand.root);
    if (!buffer) {
      buffer = await gpu.allocate("value", operand.size * 4, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST);
      const given = operand.input === undefined ? undefined : inputs[operand.input];
      if (given) gpu.write(buffer, 0, given);
      values.set(operand.root, buffer);
      owned.push(buffer);
    }
    return buffer;
  };

  const byParams = new Map<string, { step: Step; pipeline: GPUComputePipeline; members: GPUBindGroup[]; uniform: GPUBuffer }>();
  for (const step of program.steps) {
    const { kernel, call, weight } = step;
    const params = Object.fromEntries(
      Object.entries(call.params).map(([name, value]) => [name, value instanceof Scalar ? scalars[value.name] + value.offset : value]),
    );
    const key = JSON.stringify([kernel.name, weight, params]);
    let group = byParams.get(key);
    if (!group) {
      const uniform = await gpu.allocate("params", 256, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
      owned.push(uniform);
      gpu.write(uniform, 0, new Uint8Array(packParams(kernel.code, params)));
      group = { step, pipeline: await gpu.pipeline(kernel, weight), members: [], uniform };
      byParams.set(key, group);
    }
    const entries: GPUBindGroupEntry[] = [];
    for (const { name, binding } of storageBindings(kernel.code)) {
      entries.push({ binding, resource: { buffer: await bufferOf((call.read[name] ?? call.write[name])!) } });
    }
    if (kernel.params.length) entries.push({ binding: entries.length, resource: { buffer: group.uniform } });
    group.members.push(gpu.device.createBindGroup({ layout: group.pipeline.getBindGroupLayout(0), entries }));
  }

  const groups = [...byParams.values()].map(({ step, pipeline, members }): StepGroup => ({
    kernel: step.kernel.name,
    dispatches: members.length,
    sample: (repeats) => timed(async () => {
      const encoder = gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      for (let i = 0; i < repeats; i++) {
        for (const member of members) {
          pass.setBindGroup(0, member);
          pass.dispatchWorkgroups(...step.groups);
        }
      }
      pass.end();
      gpu.device.queue.submit([encoder.finish()]);
      await gpu.idle();
    }),
  }));
  return { groups, dispose: () => owned.forEach((buffer) => gpu.free(buffer)) };
}
