/**
 * Adapters in Node, through Dawn (npm `webgpu`): real GPUs and system Vulkan first, then software.
 *
 * Dawn asks the Vulkan loader for drivers once per `create()`, and the loader reads `VK_DRIVER_FILES` at that moment;
 * so one process can hold adapters of several drivers side by side, each from its own `create()`. Native code does not
 * see the environment of a worker thread: start workers with `env: SHARE_ENV` to reach software drivers there.
 */
import { existsSync, readdirSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { DeviceError } from "./error.ts";
import { bestFirst, foundAdapter } from "./found.ts";
import type { AdapterSource, FoundAdapter } from "./found.ts";
import { installedSwiftShaders, packagedSwiftShader } from "./software.node.ts";
import type { VulkanDriver } from "./software.node.ts";

/** Options for `create()` of npm's `webgpu`: unquantised timestamps, f16 on NVIDIA, experimental matrix types. */
const dawnOptions = [
  "disable-dawn-features=timestamp_quantization",
  "enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia",
];

const preference: GPURequestAdapterOptions = { powerPreference: "high-performance" };

/** Dawn's native objects crash the process when they are garbage-collected in use, so they live as long as it does. */
const alive: unknown[] = [];

/** What to do when there is no adapter at all, for the end of an error message. */
export const adapterAdvice = process.platform === "linux"
  ? "install the GPU's Vulkan driver or a software one: apt-get install mesa-vulkan-drivers (Mesa 23 or newer), "
    + "or npm i -D @sparticuz/chromium@143.0.4 (x64)"
  : "update the graphics driver";

/** The places to look, in the order of preference. */
export function adapterSources(): AdapterSource[] {
  const system = process.platform === "linux" ? "system Vulkan" : "system graphics driver";
  const sources: AdapterSource[] = [{ how: system, software: false, find: () => listAdapters(system) }];
  if (process.platform !== "linux") return sources;
  for (const driver of lavapipeDrivers()) {
    sources.push({ how: driver.how, software: true, find: () => driverAdapters(driver) });
  }
  for (const driver of installedSwiftShaders()) {
    sources.push({ how: driver.how, software: true, find: () => driverAdapters(driver) });
  }
  const how = "SwiftShader of @sparticuz/chromium";
  const find = async (): Promise<FoundAdapter[]> => {
    const driver = await packagedSwiftShader(how);
    return driver === undefined ? [] : driverAdapters(driver);
  };
  sources.push({ how, software: true, find });
  return sources;
}

/** Mesa's lavapipe by its own manifest: for when `VK_DRIVER_FILES` hides it from the default search. */
function lavapipeDrivers(): VulkanDriver[] {
  const folders = ["/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/usr/share/vulkan/icd.d"];
  return folders.filter((folder) => existsSync(folder)).flatMap((folder) => readdirSync(folder)
    .filter((file) => /^lvp_icd.*\.json$/.test(file))
    .map((file) => ({ how: `lavapipe of ${join(folder, file)}`, manifest: join(folder, file) })));
}

/** Every adapter of the drivers that the loader finds, or of one driver only; Dawn's own first choice in front. */
async function listAdapters(how: string, manifest?: string): Promise<FoundAdapter[]> {
  const first = await requestAdapter(how, { manifest });
  if (first === undefined) return [];
  const adapters: FoundAdapter[] = [];
  for (const name of await adapterNames(manifest)) {
    const found = await requestAdapter(how, { manifest, name });
    if (found !== undefined) adapters.push(found);
  }
  const isFirst = (found: FoundAdapter): boolean => found.description === first.description
    && found.adapter.info.device === first.adapter.info.device;
  const ordered = [...adapters.filter(isFirst), ...adapters.filter((found) => !isFirst(found))];
  return bestFirst(ordered.length > 0 ? ordered : [first]);
}

/** The adapters of one Vulkan driver, through the loader that lies beside it when the system has none. */
async function driverAdapters({ how, manifest, loader }: VulkanDriver): Promise<FoundAdapter[]> {
  const adapters = await listAdapters(how, manifest);
  if (adapters.length > 0 || loader === undefined) return adapters;
  holdLibrary(loader);
  return listAdapters(how, manifest);
}

/**
 * Loads a shared library for good, so that Dawn's `dlopen("libvulkan.so.1")` finds it by that name. Node throws, as it
 * is no addon, and closes it again; RTLD_NODELETE (0x1000 on Linux) keeps it loaded all the same.
 */
function holdLibrary(path: string): void {
  try {
    process.dlopen({ exports: {} }, path, constants.dlopen.RTLD_NOW | 0x1000);
  } catch {
    // Expected ("did not self-register"); if the library is unusable, the request that follows finds no adapter.
  }
}

/** The names of all adapters of a search: Dawn lists them in its error for a name that none of them has. */
async function adapterNames(manifest?: string): Promise<Set<string>> {
  const { adapter } = await startDawn({ manifest, name: "no adapter has this name" });
  const refusal = await adapter.then(() => "", String);
  return new Set([...refusal.matchAll(/name: '(.*)'$/gm)].map((match) => match[1]));
}

/** What narrows a search: the adapter's name, and the driver's manifest instead of all that are installed. */
interface Search {
  name?: string;
  manifest?: string;
}

/** One adapter from a Dawn instance of its own. */
async function requestAdapter(how: string, search: Search = {}): Promise<FoundAdapter | undefined> {
  const { gpu, adapter: starting } = await startDawn(search);
  const adapter = await starting.catch(() => null);
  if (adapter === null) return undefined;
  const request = async (): Promise<GPUAdapter> => {
    const fresh = await gpu.requestAdapter(preference);
    if (fresh === null) throw new DeviceError(`${how}: the adapter is gone; was its driver removed or its GPU reset?`);
    alive.push(fresh);
    return fresh;
  };
  alive.push(adapter);
  return foundAdapter(adapter, { name: search.name, how, keep: gpu, request });
}

/** Creates a Dawn instance and starts its search, which reads the environment before it returns. */
async function startDawn({ name, manifest }: Search): Promise<{ gpu: GPU; adapter: Promise<GPUAdapter | null> }> {
  const { create } = await loadDawn();
  const variables: Record<string, string> = { XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir() };
  if (manifest !== undefined) variables.VK_DRIVER_FILES = variables.VK_ICD_FILENAMES = manifest;
  return withEnvironment(variables, () => {
    const gpu: GPU = create(name === undefined ? dawnOptions : [...dawnOptions, `adapter=${name}`]);
    alive.push(gpu);
    return { gpu, adapter: gpu.requestAdapter(preference) };
  });
}

/** Runs `task` (synchronous) with environment variables set, then puts the old ones back. */
function withEnvironment<T>(variables: Record<string, string>, task: () => T): T {
  const before = Object.keys(variables).map((key) => [key, process.env[key]] as const);
  Object.assign(process.env, variables);
  try {
    return task();
  } finally {
    for (const [key, value] of before) {
      if (value === undefined) delete process.env[key];
      else process.env[key] = value;
    }
  }
}

/** Loads the native module and gives Node the globals that browsers have (`GPUBufferUsage` and the like). */
async function loadDawn(): Promise<typeof import("webgpu")> {
  try {
    const dawn = await import("webgpu");
    for (const [key, value] of Object.entries(dawn.globals)) {
      if (!(key in globalThis)) Object.defineProperty(globalThis, key, { value, configurable: true, writable: true });
    }
    return dawn;
  } catch (cause) {
    const reason = String(cause).split("\n")[0];
    throw new DeviceError(
      `webgpu: the native part of the npm package webgpu must load on ${process.platform}-${process.arch}, `
        + `got "${reason}"; it has builds for Linux (glibc 2.34 or newer), macOS and Windows, on x64 and arm64`,
      { cause },
    );
  }
}
