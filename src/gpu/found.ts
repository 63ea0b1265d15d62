/** A WebGPU adapter, with how it was found. */
export interface FoundAdapter {
  /** The driver's name of the device, e.g. `NVIDIA H100` or `lavapipe (llvmpipe, LLVM 15.0.6, 256 bits)`. */
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  /** The driver and its version. */
  readonly description: string;
  /** True for a rasteriser on the CPU (lavapipe, SwiftShader, WARP). */
  readonly software: boolean;
  /** Where it comes from, in words: `system Vulkan`, `SwiftShader of /usr/lib/chromium`, ... */
  readonly how: string;
  /** The adapter itself. WebGPU lets an adapter make one device: for a second device, call {@link request}. */
  readonly adapter: GPUAdapter;
  /** A fresh, unused adapter of the same device. */
  request(): Promise<GPUAdapter>;
  /** What must stay reachable for as long as the adapter or a device made from it is in use. */
  readonly keep: unknown;
}

/** A place where adapters may be found. Sources are asked in order, and only as far as needed. */
export interface AdapterSource {
  /** The place, in words. */
  readonly how: string;
  /** True if only software adapters can come from here. */
  readonly software: boolean;
  /** The adapters there, best first; none is not an error. */
  find(): Promise<FoundAdapter[]>;
}

/** Describes an adapter that `request` has just given. */
export function foundAdapter(
  adapter: GPUAdapter,
  origin: { name?: string; how: string; keep: unknown; request: () => Promise<GPUAdapter> },
): FoundAdapter {
  const { vendor, architecture, device, description } = adapter.info;
  const name = (origin.name || device || description || vendor || "unnamed adapter")
    .replace(/^llvmpipe \(/, "lavapipe (llvmpipe, ");
  const software = adapter.info.isFallbackAdapter === true
    || /llvmpipe|lavapipe|swiftshader|basic render/i.test(`${name} ${architecture} ${description}`);
  const { how, keep, request } = origin;
  return { name, vendor, architecture, description, software, how, adapter, request, keep };
}

/** Sorts hardware before lavapipe before other software, which is several times slower; equals keep their order. */
export function bestFirst(adapters: readonly FoundAdapter[]): FoundAdapter[] {
  const rank = (found: FoundAdapter): number => (!found.software ? 0 : /llvmpipe/.test(found.name) ? 1 : 2);
  return [...adapters].sort((a, b) => rank(a) - rank(b));
}
