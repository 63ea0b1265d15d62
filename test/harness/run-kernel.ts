import { type Family, foldGroups, type HostArray, type HostArrays, type Kernel, paramFields, type Params, storageBindings, type WeightType } from "../../kernels/kernel.ts";
import type { Gpu } from "../../src/gpu/gpu.ts";
import { fromFloat32 } from "../../weights/dtype.ts";

/** Packs f32 values as a weight buffer holds them, padded to 16 bytes. */
export function packWeight(values: Float32Array, type: WeightType): Uint8Array {
  if (type === "f32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return fromFloat32(values, type === "f16" ? "F16" : "BF16");
}

/** The uniform block of a kernel. */
export function packParams(code: string, params: Params): ArrayBuffer {
  const fields = paramFields(code);
  const view = new DataView(new ArrayBuffer(Math.max(16, Math.ceil(fields.length / 4) * 16)));
  fields.forEach(({ name, type }, i) => {
    const value = params[name];
    if (value === undefined) throw new Error(`parameter ${name} is missing`);
    if (type === "f32") view.setFloat32(4 * i, value, true);
    else view.setUint32(4 * i, value, true);
  });
  return view.buffer;
}

/** Runs one kernel once on host arrays; outputs have the lengths (and, where `inputs` holds them too, the contents) given. */
export async function runKernel(
  gpu: Gpu,
  family: Family,
  kernel: Kernel,
  inputs: HostArrays,
  outputs: Readonly<Record<string, { length: number; type: "f32" | "u32" }>>,
  params: Params,
  weight: WeightType = "f32",
): Promise<Record<string, HostArray>> {
  const pipeline = await gpu.pipeline(kernel, weight);
  const buffers = new Map<string, GPUBuffer>();
  for (const { name } of storageBindings(kernel.code)) {
    const input = inputs[name];
    const bytes = name === family.weight ? packWeight(input as Float32Array, weight) : input && new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    const buffer = await gpu.allocateStorage(name, bytes?.byteLength ?? outputs[name]!.length * 4);
    if (bytes) {
      const padded = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4);
      padded.set(bytes);
      gpu.write(buffer, 0, padded);
    }
    buffers.set(name, buffer);
  }
  const uniform = await gpu.allocate("params", 256, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
  gpu.write(uniform, 0, new Uint8Array(packParams(kernel.code, params)));

  const entries = storageBindings(kernel.code).map(({ name, binding }) => ({ binding, resource: { buffer: buffers.get(name)! } }));
  if (kernel.params.length) entries.push({ binding: entries.length, resource: { buffer: uniform } });
  const group = gpu.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(...foldGroups(kernel.groups(params, gpu.traits)));
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);

  const results: Record<string, HostArray> = {};
  for (const [name, { length, type }] of Object.entries(outputs)) {
    const bytes = await gpu.read(buffers.get(name)!, 0, Math.ceil((length * 4) / 4) * 4);
    results[name] = type === "f32" ? new Float32Array(bytes, 0, length) : new Uint32Array(bytes, 0, length);
  }
  for (const buffer of [...buffers.values(), uniform]) gpu.free(buffer);
  return results;
}
