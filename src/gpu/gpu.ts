import { type AdapterTraits, type Kernel, kernelSource, type WeightType } from "../../kernels/kernel.ts";
import { DeviceError, DeviceLostError, DriverError, GpuMemoryError } from "./error.ts";
import { patiently } from "./wait.ts";

/** Limits that are raised to what the adapter allows; everything else stays at WebGPU's defaults. */
const RAISED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupStorageSize",
  "maxStorageBuffersPerShaderStage",
] as const;

/** What the kernels rely on at the least. WebGPU promises as much; a compatibility device may have less. */
const REQUIRED_LIMITS = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeWorkgroupsPerDimension: 65535,
} as const;

const WANTED_FEATURES = ["subgroups", "shader-f16", "timestamp-query"] as const;

/** Largest piece handed to the queue at once, in bytes. */
const UPLOAD_CHUNK = 16 * 2 ** 20;

/** What a `Gpu` keeps of the adapter that it was opened on. */
export interface GpuOrigin {
  readonly adapter?: GPUAdapter;
  readonly software: boolean;
  /** Objects that must not be garbage-collected while the device lives (Dawn holds raw pointers to them). */
  readonly keep?: unknown;
}

/**
 * A WebGPU device with what the library needs around it: traits for the choice of kernels, a pipeline cache, memory that is
 * counted and freed, reads that wait well on software adapters, and driver errors that surface as exceptions.
 */
export class Gpu {
  readonly traits: AdapterTraits;
  readonly limits: GPUSupportedLimits;
  /** Bytes of all live buffers. */
  allocated = 0;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #buffers = new Set<GPUBuffer>();
  readonly #owned: boolean;
  readonly #listener: (event: GPUUncapturedErrorEvent) => void;
  #failure: Error | undefined;
  #disposed = false;

  private constructor(
    readonly device: GPUDevice,
    readonly origin: GpuOrigin,
    owned: boolean,
  ) {
    this.#owned = owned;
    this.limits = device.limits;
    const info = device.adapterInfo ?? origin.adapter?.info;
    const subgroups = device.features.has("subgroups");
    this.traits = {
      features: new Set(device.features),
      subgroupSize: { min: subgroups ? (info?.subgroupMinSize ?? 0) : 0, max: subgroups ? (info?.subgroupMaxSize ?? 0) : 0 },
      software: origin.software,
      maxInvocations: device.limits.maxComputeInvocationsPerWorkgroup,
      maxWorkgroupMemory: device.limits.maxComputeWorkgroupStorageSize,
    };
    this.#listener = (event) => {
      event.preventDefault();
      this.#failure ??= describe(event.error);
    };
    device.addEventListener("uncapturederror", this.#listener);
    void device.lost.then((lost) => {
      this.#failure = new DeviceLostError(
        this.#disposed
          ? "the GPU device was disposed; open a new one"
          : `the GPU device was lost (${lost.message.trim() || lost.reason}); load the model again`,
        lost.reason,
      );
    });
  }

  /** Opens a device on an adapter with all useful features and the adapter's own limits. Throws `DeviceError`, `DriverError`. */
  static async open(origin: GpuOrigin & { readonly adapter: GPUAdapter }): Promise<Gpu> {
    const { adapter } = origin;
    checkLimits(adapter.limits, `the adapter ${adapter.info.description || adapter.info.vendor}`);
    const requiredLimits: Record<string, number> = {};
    for (const name of RAISED_LIMITS) requiredLimits[name] = adapter.limits[name];
    const requiredFeatures = WANTED_FEATURES.filter((feature) => adapter.features.has(feature));
    try {
      return new Gpu(await adapter.requestDevice({ requiredFeatures, requiredLimits }), origin, true);
    } catch (cause) {
      throw new DriverError(
        `the adapter ${adapter.info.description || adapter.info.vendor} gave no device: ${oneLine(cause)}; try another one (llava devices lists them)`,
        { cause },
      );
    }
  }

  /** Uses a device of the caller's. It is not destroyed by `dispose()`. Throws `DeviceError`. */
  static wrap(device: GPUDevice): Gpu {
    checkLimits(device.limits, "the given device");
    const info = device.adapterInfo;
    return new Gpu(device, { software: info?.isFallbackAdapter ?? false }, false);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Throws what the driver reported since the last call, once; a lost device stays lost. */
  check(): void {
    const failure = this.#failure;
    if (!failure) return;
    if (!(failure instanceof DeviceLostError)) this.#failure = undefined;
    throw failure;
  }

  /** Waits for a promise of the device without starving a software rasteriser, then throws what the driver reported. */
  async wait<T>(promise: Promise<T>): Promise<T> {
    let value: T;
    try {
      value = this.origin.software ? await patiently(promise) : await promise;
    } catch (cause) {
      // That the device is lost may be told a turn after the promises that it breaks.
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.check();
      throw new DriverError(`the GPU driver failed: ${oneLine(cause)}`, { cause });
    }
    this.check();
    return value;
  }

  /** Waits until everything submitted so far has run. */
  async idle(): Promise<void> {
    this.check();
    await this.wait(this.device.queue.onSubmittedWorkDone());
  }

  /** The compute pipeline of a kernel; equal text and constants share one. Throws `DriverError` with the compiler's message. */
  pipeline(kernel: Kernel, weight: WeightType = "f32"): Promise<GPUComputePipeline> {
    const code = kernelSource(kernel, weight);
    const key = `${JSON.stringify(kernel.constants ?? {})}\n${code}`;
    let pipeline = this.#pipelines.get(key);
    if (!pipeline) {
      pipeline = this.#compile(kernel, code);
      this.#pipelines.set(key, pipeline);
      pipeline.catch(() => this.#pipelines.delete(key));
    }
    return pipeline;
  }

  async #compile(kernel: Kernel, code: string): Promise<GPUComputePipeline> {
    this.check();
    const module = this.device.createShaderModule({ label: kernel.name, code });
    try {
      return await this.wait(
        this.device.createComputePipelineAsync({
          label: kernel.name,
          layout: "auto",
          compute: { module, entryPoint: "main", constants: kernel.constants ?? {} },
        }),
      );
    } catch (cause) {
      if (cause instanceof DeviceLostError) throw cause;
      const { messages } = await module.getCompilationInfo();
      const first = messages.find((message) => message.type === "error");
      const where = first
        ? `line ${first.lineNum}:${first.linePos} ${first.message.split("\n")[0]}: ${code.split("\n")[first.lineNum - 1]?.trim()}`
        : oneLine(cause);
      if (!(this.#failure instanceof DeviceLostError)) this.#failure = undefined;
      throw new DriverError(`kernel ${kernel.name} does not compile on this device: ${where}`, { cause });
    }
  }

  /** Makes a buffer. Throws `GpuMemoryError` if it exceeds the device's limits or its memory. */
  async allocate(label: string, bytes: number, usage: GPUBufferUsageFlags): Promise<GPUBuffer> {
    this.check();
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    const limit = this.limits.maxBufferSize;
    if (size > limit) {
      throw new GpuMemoryError(
        `${label} needs a buffer of ${size} bytes, this adapter allows ${limit}; choose another adapter or smaller weights`,
        size,
        limit,
      );
    }
    this.device.pushErrorScope("out-of-memory");
    const buffer = this.device.createBuffer({ label, size, usage });
    this.allocated += size;
    this.#buffers.add(buffer);
    const error = await this.wait(this.device.popErrorScope());
    if (error) {
      this.free(buffer);
      throw new GpuMemoryError(
        `${label}: the GPU has no ${size} bytes left beside the ${this.allocated} in use; use smaller weights, a shorter context or another adapter`,
        size,
      );
    }
    return buffer;
  }

  /** Makes a buffer of data that kernels read and write, and the host too. Throws like `allocate`. */
  allocateStorage(label: string, bytes: number): Promise<GPUBuffer> {
    return this.allocate(label, bytes, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC);
  }

  /** Frees a buffer made by `allocate` or `allocateStorage`. */
  free(buffer: GPUBuffer): void {
    if (!this.#buffers.delete(buffer)) return;
    this.allocated -= buffer.size;
    buffer.destroy();
  }

  /** Writes host bytes into a buffer, in pieces; `offset` and the length must be multiples of 4. */
  write(buffer: GPUBuffer, offset: number, data: ArrayBufferView): void {
    const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    for (let at = 0; at < bytes.length; at += UPLOAD_CHUNK) {
      this.device.queue.writeBuffer(buffer, offset + at, bytes, at, Math.min(UPLOAD_CHUNK, bytes.length - at));
    }
  }

  /** Copies bytes [offset, offset + length) of a buffer to the host. */
  async read(buffer: GPUBuffer, offset = 0, length = buffer.size - offset): Promise<ArrayBuffer> {
    this.check();
    const staging = await this.allocate("read-back", length, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ);
    try {
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, length);
      this.device.queue.submit([encoder.finish()]);
      await this.wait(staging.mapAsync(GPUMapMode.READ));
      return staging.getMappedRange(0, length).slice(0);
    } finally {
      this.free(staging);
    }
  }

  /** Frees every buffer and, if this object opened it, destroys the device. Idempotent. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const buffer of this.#buffers) buffer.destroy();
    this.#buffers.clear();
    this.allocated = 0;
    this.#pipelines.clear();
    try {
      // Dawn returns the memory of destroyed buffers at the next submit.
      this.device.queue.submit([]);
      const done = this.device.queue.onSubmittedWorkDone();
      await (this.origin.software ? patiently(done) : done);
    } catch {
      // A lost device has nothing left to free.
    }
    this.device.removeEventListener("uncapturederror", this.#listener);
    if (this.#owned) this.device.destroy();
    this.#failure ??= new DeviceLostError("the GPU device was disposed; open a new one", "destroyed");
  }
}

function checkLimits(limits: GPUSupportedLimits, owner: string): void {
  for (const [name, least] of Object.entries(REQUIRED_LIMITS)) {
    const has = limits[name as keyof typeof REQUIRED_LIMITS];
    if (has >= least) continue;
    throw new DeviceError(`${owner}: expected the limit ${name} to be at least ${least}, got ${has}; choose another adapter (llava devices lists them)`, {
      wanted: `${name} ${least}`,
      found: [`${has}`],
    });
  }
}

function describe(error: GPUError): Error {
  if (error instanceof GPUOutOfMemoryError) return new GpuMemoryError(`the GPU is out of memory: ${oneLine(error)}`, 0);
  return new DriverError(`the GPU driver reported: ${oneLine(error)}`);
}

/** A driver's words, which often take several lines, on one. */
function oneLine(said: unknown): string {
  return String((said as { message?: unknown }).message).replace(/\s+/g, " ").trim();
}
