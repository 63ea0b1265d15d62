import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { kernel } from "../../kernels/kernel.ts";
import { chooseAdapter } from "./adapter.ts";
import { DeviceLostError, DriverError, GpuMemoryError } from "./error.ts";
import { Gpu } from "./gpu.ts";

const record = (name: string, code: string) => kernel({ name, code, read: [], write: ["y"], params: [], needs: [], groups: () => 1 });
const good = "@group(0) @binding(0) var<storage, read_write> y: array<u32>;\n@compute @workgroup_size(1) fn main() { y[0] = 7u; }\n";

let gpu: Gpu;
const storage = () => GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
beforeEach(async () => {
  gpu = await Gpu.open(await chooseAdapter("swiftshader"));
});
afterEach(() => gpu.dispose());

describe("Gpu", () => {
  it("counts the bytes of live buffers", async () => {
    const [a, b] = await Promise.all([gpu.allocate("a", 100, storage()), gpu.allocate("b", 1, storage())]);
    expect(gpu.allocated).toBe(112 + 16);
    gpu.free(a);
    gpu.free(a);
    expect(gpu.allocated).toBe(16);
    gpu.free(b);
    expect(gpu.allocated).toBe(0);
  });

  it("writes and reads ranges, also of more than one piece", async () => {
    const length = 2 ** 22 + 3;
    const buffer = await gpu.allocate("long", 4 * length, storage());
    const values = Uint32Array.from({ length }, (_, i) => i * 2654435761);
    gpu.write(buffer, 0, values);
    expect(Buffer.compare(new Uint8Array(await gpu.read(buffer, 0, 4 * length)), new Uint8Array(values.buffer))).toBe(0);
    gpu.write(buffer, 8, Uint32Array.of(5, 6));
    expect([...new Uint32Array(await gpu.read(buffer, 4, 16))]).toEqual([values[1], 5, 6, values[4]]);
    expect(gpu.allocated).toBe(buffer.size);
  });

  it("names the bytes and the limit when a buffer is too large, and goes on", async () => {
    const error = await gpu.allocate("table", 2 ** 50, storage()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(GpuMemoryError);
    expect(error).toMatchObject({ wanted: 2 ** 50, limit: gpu.limits.maxBufferSize });
    expect(gpu.allocated).toBe(0);
    await gpu.allocate("small", 16, storage());
  });

  it("names the bytes when the memory is used up, and counts nothing", async () => {
    // Using the memory up in earnest would starve the whole machine on a software adapter.
    const device = gpu.device as { popErrorScope: GPUDevice["popErrorScope"] };
    device.popErrorScope = async () => ({ message: "out of memory" });
    await expect(gpu.allocate("cache", 64, storage())).rejects.toThrow(/^cache: the GPU has no 64 bytes left beside the 0 in use; use smaller weights/);
    expect(gpu.allocated).toBe(0);
  });

  it("throws what the driver reported at the next call, once", async () => {
    gpu.device.createBuffer({ size: 16, usage: 0xffff });
    await expect(gpu.idle()).rejects.toThrow(/^the GPU driver reported: [^\n]+$/);
    await gpu.idle();
  });

  it("compiles equal kernels once", async () => {
    expect(await gpu.pipeline(record("one", good))).toBe(await gpu.pipeline(record("two", good)));
    expect(await gpu.pipeline(record("three", `${good} `))).not.toBe(await gpu.pipeline(record("one", good)));
  });

  it("names kernel, line and text of what does not compile, and goes on", async () => {
    const bad = record("broken", good.replace("7u", "7.5 + true"));
    for (let i = 0; i < 2; i++) {
      const error = await gpu.pipeline(bad).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(DriverError);
      expect((error as Error).message).toMatch(/^kernel broken does not compile on this device: line 2:\d+ [^\n]*: @compute [^\n]*7\.5 \+ true; \}$/);
    }
    await gpu.pipeline(record("good", good));
    await gpu.idle();
  });

  it("stays lost once its device is lost, whatever else fails", async () => {
    const buffer = await gpu.allocate("kept", 16, storage());
    const reading = gpu.read(buffer);
    gpu.device.destroy();
    await expect(reading).rejects.toThrow(DeviceLostError);
    await expect(gpu.read(buffer)).rejects.toThrow(DeviceLostError);
    await expect(gpu.pipeline(record("late", good))).rejects.toThrow(DeviceLostError);
    await expect(gpu.allocate("late", 16, storage())).rejects.toThrow(/^the GPU device was lost \([^\n]+\); load the model again$/);
    expect(() => gpu.check()).toThrow(DeviceLostError);
    await gpu.dispose();
  });

  it("frees all at the end, twice over, and says so afterwards", async () => {
    await gpu.allocate("left", 1000, storage());
    await Promise.all([gpu.dispose(), gpu.dispose()]);
    expect([gpu.allocated, gpu.disposed]).toEqual([0, true]);
    await expect(gpu.idle()).rejects.toThrow("the GPU device was disposed; open a new one");
  });

  it("names an adapter that gives no device", async () => {
    const found = await chooseAdapter("swiftshader");
    const refusing = Object.create(found.adapter, {
      limits: { value: found.adapter.limits },
      features: { value: found.adapter.features },
      info: { value: found.adapter.info },
      requestDevice: { value: () => Promise.reject(new Error("first line\n  second line")) },
    }) as GPUAdapter;
    await expect(Gpu.open({ ...found, adapter: refusing })).rejects.toThrow(/^the adapter .* gave no device: first line second line; try another one/);
  });

  it("takes WebGPU's default limits of a caller's device, and leaves it alive", async () => {
    const device = await (await chooseAdapter("swiftshader")).adapter.requestDevice();
    const wrapped = Gpu.wrap(device);
    expect(wrapped.limits.maxStorageBufferBindingSize).toBe(128 * 2 ** 20);
    expect(wrapped.traits.subgroupSize).toEqual({ min: 0, max: 0 });
    await wrapped.pipeline(record("good", good));
    await wrapped.dispose();
    await device.queue.onSubmittedWorkDone();
    const again = Gpu.wrap(device);
    await again.idle();
    await again.dispose();
    device.destroy();
  });
});
