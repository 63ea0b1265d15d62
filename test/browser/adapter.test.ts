import { describe, expect, it } from "vitest";
import { chooseAdapter, describeAdapter, findAdapters } from "../../src/gpu/adapter.ts";
import { DeviceError } from "../../src/gpu/error.ts";

const doubles = /* wgsl */ `
  @group(0) @binding(0) var<storage, read_write> values: array<f32>;
  @compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) { values[id.x] *= 2.0; }
`;

describe("WebGPU in the browser", () => {
  it("has an adapter, which computes", async () => {
    const { adapter } = await chooseAdapter();
    const device = await adapter.requestDevice();
    const module = device.createShaderModule({ code: doubles });
    const pipeline = device.createComputePipeline({ layout: "auto", compute: { module } });
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const values = device.createBuffer({ size: 16, usage });
    const staging = device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    device.queue.writeBuffer(values, 0, new Float32Array([1, 2.5, -3, 0]));
    const layout = pipeline.getBindGroupLayout(0);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer: values } }] }));
    pass.dispatchWorkgroups(1);
    pass.end();
    encoder.copyBufferToBuffer(values, 0, staging, 0, 16);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    expect([...new Float32Array(staging.getMappedRange())]).toEqual([2, 5, -6, 0]);
    device.destroy();
  });

  it("finds each adapter once and describes it as plain data", async () => {
    const adapters = await findAdapters();
    const descriptions = adapters.map(describeAdapter);
    expect(JSON.parse(JSON.stringify(descriptions))).toEqual(descriptions);
    expect(new Set(descriptions.map(({ name, description }) => `${name} ${description}`)).size).toBe(adapters.length);
    expect(descriptions[0].limits.maxBufferSize).toBeGreaterThan(0);
  });

  it("gives an unused adapter to every caller", async () => {
    for (const choice of ["auto", "auto"]) (await (await chooseAdapter(choice)).adapter.requestDevice()).destroy();
  });

  it("says what there is when no name fits", async () => {
    await expect(chooseAdapter("voodoo 2")).rejects.toThrow(DeviceError);
    await expect(chooseAdapter("voodoo 2")).rejects.toThrow(/expected one with "voodoo 2" in its name, found \S+/);
  });
});
