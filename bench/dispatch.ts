import { type Family, foldGroups, type HostArray, type HostArrays, type Kernel, type Params, storageBindings, type WeightType } from "../kernels/kernel.ts";
import type { Gpu } from "../src/gpu/gpu.ts";
import { packParams, packWeight } from "../test/harness/run-kernel.ts";
import { type Sample, timed } from "./measure.ts";

/** Everything that a kernel needs to run once. */
export interface Work {
  readonly family: Family;
  readonly kernel: Kernel;
  readonly weight: WeightType;
  readonly params: Params;
  readonly inputs: HostArrays;
  /** Arrays of the outputs' lengths and types, as the reference returns them; only their form counts. */
  readonly outputs: HostArrays;
}

/** Bytes that the sets of a `Dispatch` fill together on a GPU, so that its caches do not hold what should come from memory. */
const BEYOND_CACHES = 256 * 2 ** 20;
const MOST_SETS = 16;

interface BufferSet {
  readonly buffers: ReadonlyMap<string, GPUBuffer>;
  readonly group: GPUBindGroup;
}

/** A kernel with its buffers on the GPU, ready to be run many times. */
export class Dispatch {
  #next = 0;

  private constructor(
    private readonly gpu: Gpu,
    private readonly work: Work,
    private readonly pipeline: GPUComputePipeline,
    private readonly uniform: GPUBuffer,
    /** The same data several times over: runs take turns. */
    private readonly sets: readonly BufferSet[],
    private readonly staging: ReadonlyMap<string, GPUBuffer>,
  ) {}

  /** Uploads the inputs and compiles the kernel. On a GPU, small data is laid out several times to outgrow its caches. */
  static async create(gpu: Gpu, work: Work): Promise<Dispatch> {
    const { kernel, family, weight, params, inputs, outputs } = work;
    const pipeline = await gpu.pipeline(kernel, weight);
    const uniform = await gpu.allocate("params", 256, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
    gpu.write(uniform, 0, new Uint8Array(packParams(kernel.code, params)));

    const contents = storageBindings(kernel.code).map(({ name, binding }) => {
      const input = inputs[name];
      const bytes = input && (name === family.weight ? packWeight(input as Float32Array, weight) : bytesOf(input));
      return { name, binding, bytes: bytes && padded(bytes), length: bytes?.byteLength ?? outputs[name].byteLength };
    });
    const total = contents.reduce((sum, { length }) => sum + length, 0);
    const count = gpu.traits.software ? 1 : Math.min(MOST_SETS, Math.ceil(BEYOND_CACHES / total));
    const sets: BufferSet[] = [];
    for (let set = 0; set < count; set++) {
      const buffers = new Map<string, GPUBuffer>();
      for (const { name, bytes, length } of contents) {
        const buffer = await gpu.allocateStorage(name, length);
        if (bytes) gpu.write(buffer, 0, bytes);
        buffers.set(name, buffer);
      }
      const entries: GPUBindGroupEntry[] = contents.map(({ name, binding }) => ({ binding, resource: { buffer: buffers.get(name)! } }));
      if (kernel.params.length) entries.push({ binding: entries.length, resource: { buffer: uniform } });
      sets.push({ buffers, group: gpu.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }) });
    }
    const staging = new Map<string, GPUBuffer>();
    for (const name of kernel.write) {
      staging.set(name, await gpu.allocate(`${name} read back`, outputs[name].byteLength, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ));
    }
    await gpu.idle();
    return new Dispatch(gpu, work, pipeline, uniform, sets, staging);
  }

  /** Runs the kernel `repeats` times in one submit and waits until the GPU is done. */
  sample(repeats: number): Promise<Sample> {
    return timed(async () => {
      const encoder = this.gpu.device.createCommandEncoder();
      this.#encode(encoder, repeats);
      this.gpu.device.queue.submit([encoder.finish()]);
      await this.gpu.idle();
    });
  }

  /** Runs once from host to host, as a call of another library does: uploads `inputs`, runs, reads `outputs` back. */
  async call(inputs: readonly string[], outputs: readonly string[]): Promise<HostArray[]> {
    const { buffers } = this.sets[this.#next % this.sets.length];
    for (const name of inputs) this.gpu.write(buffers.get(name)!, 0, this.work.inputs[name]);
    const encoder = this.gpu.device.createCommandEncoder();
    this.#encode(encoder, 1);
    for (const name of outputs) encoder.copyBufferToBuffer(buffers.get(name)!, 0, this.staging.get(name)!, 0, this.staging.get(name)!.size);
    this.gpu.device.queue.submit([encoder.finish()]);
    const results: HostArray[] = [];
    for (const name of outputs) {
      const staging = this.staging.get(name)!;
      await this.gpu.wait(staging.mapAsync(GPUMapMode.READ));
      const bytes = staging.getMappedRange().slice(0, this.work.outputs[name].byteLength);
      staging.unmap();
      results.push(this.work.outputs[name] instanceof Float32Array ? new Float32Array(bytes) : new Uint32Array(bytes));
    }
    return results;
  }

  /** Frees the buffers. */
  dispose(): void {
    const owned = [this.uniform, ...this.staging.values(), ...this.sets.flatMap(({ buffers }) => [...buffers.values()])];
    for (const buffer of owned) this.gpu.free(buffer);
  }

  #encode(encoder: GPUCommandEncoder, repeats: number): void {
    const { kernel, params } = this.work;
    const groups = foldGroups(kernel.groups(params, this.gpu.traits));
    const pass = encoder.beginComputePass();
    pass.setPipeline(this.pipeline);
    for (let i = 0; i < repeats; i++) {
      pass.setBindGroup(0, this.sets[this.#next++ % this.sets.length].group);
      pass.dispatchWorkgroups(...groups);
    }
    pass.end();
  }
}

function bytesOf(array: HostArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** A queue takes multiples of 4 bytes. */
function padded(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength % 4 === 0) return bytes;
  const copy = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4);
  copy.set(bytes);
  return copy;
}
