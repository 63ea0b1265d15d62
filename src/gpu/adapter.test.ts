import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { testAdapters } from "../../test/harness/adapters.ts";
import { chooseAdapter, describeAdapter, findAdapters } from "./adapter.ts";
import type { FoundAdapter } from "./adapter.ts";
import { DeviceError } from "./error.ts";
import { packagedSwiftShader, readArchive } from "./software.node.ts";

const squares = /* wgsl */ `
  @group(0) @binding(0) var<storage, read_write> output: array<u32>;
  @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { output[id.x] = id.x * id.x; }
`;

/** Runs a small shader on a fresh device and gives its 64 results. */
async function computeSquares(device: GPUDevice): Promise<number[]> {
  const module = device.createShaderModule({ code: squares });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module } });
  const output = device.createBuffer({ size: 256, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const staging = device.createBuffer({ size: 256, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const bindings = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer: output } }],
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindings);
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(output, 0, staging, 0, 256);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  return [...new Uint32Array(staging.getMappedRange())];
}

describe("adapters at hand", () => {
  let adapters: FoundAdapter[];
  beforeAll(async () => {
    adapters = await findAdapters();
  });

  it("hold SwiftShader, and each device once", () => {
    expect(adapters.map((found) => found.name).join()).toMatch(/swiftshader/i);
    expect(new Set(adapters.map((found) => found.name + found.description)).size).toBe(adapters.length);
  });

  it("are in the order hardware, lavapipe, other software", () => {
    const ranks = adapters.map((found) => (!found.software ? 0 : found.name.startsWith("lavapipe") ? 1 : 2));
    expect(ranks).toEqual([...ranks].sort());
  });

  it("compute side by side in one process, twice each", async () => {
    const expected = Array.from({ length: 64 }, (_, i) => i * i);
    const devices: GPUDevice[] = [];
    for (const found of adapters) {
      devices.push(await found.adapter.requestDevice(), await (await found.request()).requestDevice());
    }
    for (const results of await Promise.all(devices.map(computeSquares))) expect(results).toEqual(expected);
    for (const device of devices) device.destroy();
  });

  it("are described as plain data", () => {
    for (const found of adapters) {
      const description = describeAdapter(found);
      expect(JSON.parse(JSON.stringify(description))).toEqual(description);
      expect(description.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(128 * 1024 * 1024);
      expect(description.features).toContain("core-features-and-limits");
    }
  });
});

describe("chooseAdapter", () => {
  it("takes the best for auto, and gives every caller an unused adapter", async () => {
    const [best] = await findAdapters();
    const first = await chooseAdapter();
    const second = await chooseAdapter("auto");
    expect(first.name).toBe(best.name);
    expect(second.adapter).not.toBe(first.adapter);
    for (const { adapter } of [first, second]) (await adapter.requestDevice()).destroy();
  });

  it("finds by a part of the name, whatever its case", async () => {
    expect((await chooseAdapter("SWIFTshader")).name).toMatch(/swiftshader/i);
  });

  it("takes a software adapter when asked to", async () => {
    expect((await chooseAdapter("software")).software).toBe(true);
  });

  it("takes hardware or says what there is", async () => {
    const hardware = (await findAdapters()).filter((found) => !found.software);
    const answer = await chooseAdapter("gpu").catch((error: unknown) => error);
    if (hardware.length > 0) expect(answer).toMatchObject({ software: false });
    else expect(answer).toBeInstanceOf(DeviceError);
  });

  it("lists what was found when no name fits", async () => {
    const error = await chooseAdapter("voodoo 2").catch((reason: unknown) => reason) as DeviceError;
    expect(error).toBeInstanceOf(DeviceError);
    expect(error.wanted).toBe("voodoo 2");
    expect(error.found.join()).toMatch(/swiftshader/i);
    expect(error.message).toMatch(/^adapter: expected one with "voodoo 2" in its name, found .*SwiftShader/);
    expect(error.message).not.toContain("\n");
  });
});

describe("in a process of its own", () => {
  const cache = mkdtempSync(join(tmpdir(), "llava-adapters-"));
  afterAll(() => rmSync(cache, { recursive: true }));

  /** Runs a script over our sources with an empty cache folder and gives what it printed. */
  function run(script: string, environment: Record<string, string> = {}): unknown {
    const cwd = fileURLToPath(new URL("../..", import.meta.url));
    const { status, stdout, stderr } = spawnSync(process.execPath, ["test/harness/run-source.mjs", script], {
      cwd,
      encoding: "utf8",
      env: { ...process.env, XDG_CACHE_HOME: cache, ...environment },
    });
    if (status !== 0) throw new Error(`status ${status}: ${stderr}`);
    return JSON.parse(stdout);
  }

  it("auto unpacks nothing when a better adapter is there, and a live device does not hinder the exit", () => {
    const software = run(`
      const { chooseAdapter } = await load("src/gpu/adapter.ts");
      const found = await chooseAdapter();
      globalThis.device = await found.adapter.requestDevice();
      console.log(JSON.stringify(found.how));
    `);
    if (software !== "SwiftShader of @sparticuz/chromium") expect(readdirSync(cache)).toEqual([]);
  });

  it("finds the SwiftShader of the npm package when the system's drivers are hidden", () => {
    const names = run(`
      const { adapterSources } = await load("src/gpu/adapters.node.ts");
      const sources = adapterSources();
      const found = [await sources.at(0).find(), await sources.at(-1).find()];
      console.log(JSON.stringify(found.map((adapters) => adapters.map((adapter) => adapter.name))));
    `, { VK_DRIVER_FILES: "/nonexistent.json", VK_ICD_FILENAMES: "/nonexistent.json" });
    expect(names).toEqual([[], [expect.stringMatching(/swiftshader/i)]]);
    expect(readdirSync(join(cache, "llava-webgpu"))).toEqual([expect.stringMatching(/^swiftshader-[0-9a-f]{16}$/)]);
  });
});

describe("packagedSwiftShader", () => {
  const cache = mkdtempSync(join(tmpdir(), "llava-adapters-"));
  afterEach(() => vi.unstubAllEnvs());
  afterAll(() => rmSync(cache, { recursive: true }));

  it("unpacks once for callers at the same time, and leaves nothing half done", async () => {
    vi.stubEnv("XDG_CACHE_HOME", cache);
    const both = await Promise.all([packagedSwiftShader("one"), packagedSwiftShader("two")]);
    expect(both.map((driver) => driver !== undefined && existsSync(driver.manifest))).toEqual([true, true]);
    expect(readdirSync(join(cache, "llava-webgpu"))).toHaveLength(1);
  });

  it("turns to the temporary folder where the cache cannot be written", async () => {
    vi.stubEnv("XDG_CACHE_HOME", "/dev/null");
    vi.stubEnv("TMPDIR", cache);
    const driver = await packagedSwiftShader("SwiftShader");
    expect(driver?.manifest.startsWith(`${cache}/llava-webgpu-`)).toBe(true);
  });

  it("does not load from a folder that others may write to", async () => {
    vi.stubEnv("XDG_CACHE_HOME", "/dev/null");
    vi.stubEnv("TMPDIR", cache);
    const driver = await packagedSwiftShader("SwiftShader");
    chmodSync(dirname(driver!.manifest), 0o777);
    expect(await packagedSwiftShader("SwiftShader")).toBeUndefined();
  });
});

describe("readArchive", () => {
  it("refuses a damaged archive and one without the driver", () => {
    expect(() => readArchive(new Uint8Array([1, 2, 3]))).toThrow(DeviceError);
    const empty = brotliCompressSync(new Uint8Array(1024));
    expect(() => readArchive(empty)).toThrow(/must hold vk_swiftshader_icd.json, got nothing/);
  });
});

describe("the adapters for tests", () => {
  it("hold SwiftShader", async () => {
    vi.stubEnv("LLAVA_TEST_ADAPTER", "");
    expect((await testAdapters()).map((found) => found.name).join()).toMatch(/swiftshader/i);
    vi.stubEnv("LLAVA_TEST_ADAPTER", "swift");
    expect(await testAdapters()).toHaveLength(1);
    vi.stubEnv("LLAVA_TEST_ADAPTER", "voodoo");
    await expect(testAdapters()).rejects.toThrow(/no adapter has "voodoo"/);
    vi.unstubAllEnvs();
  });
});
