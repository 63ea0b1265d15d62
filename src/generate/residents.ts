import { GpuMemoryError } from "../gpu/error.ts";
import type { Resident } from "../graph/tensor.ts";
import type { Workspace } from "../graph/workspace.ts";

/** Resident rows [capacity, width] in f32 that grow in steps and keep their contents. */
export class GrowingRows implements Resident {
  readonly type = "f32";
  buffer!: GPUBuffer;
  #capacity = 0;

  private constructor(
    readonly label: string,
    readonly width: number,
    private readonly workspace: Workspace,
  ) {}

  static async create(workspace: Workspace, label: string, width: number, rows: number): Promise<GrowingRows> {
    const made = new GrowingRows(label, width, workspace);
    await made.reserve(rows);
    return made;
  }

  get shape(): readonly number[] {
    return [this.#capacity, this.width];
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Makes room for `rows` rows, doubling as needed up to `limit`. Throws `GpuMemoryError`; the old contents stay then. */
  async reserve(rows: number, limit = Infinity): Promise<void> {
    if (rows <= this.#capacity) return;
    const { gpu } = this.workspace;
    const bindable = gpu.limits.maxStorageBufferBindingSize;
    const most = Math.floor(bindable / (this.width * 4));
    if (rows > most) {
      throw new GpuMemoryError(
        `${this.label}: expected at most ${most} rows, the adapter's binding limit, got ${rows}; use a shorter prompt, fewer pictures or another adapter`,
        rows * this.width * 4,
        bindable,
      );
    }
    const capacity = Math.max(rows, Math.min(2 * this.#capacity, limit, most));
    const buffer = await gpu.allocate(this.label, capacity * this.width * 4, usage());
    if (this.#capacity > 0) {
      const encoder = gpu.device.createCommandEncoder();
      encoder.copyBufferToBuffer(this.buffer, 0, buffer, 0, this.#capacity * this.width * 4);
      gpu.device.queue.submit([encoder.finish()]);
      gpu.free(this.buffer);
    }
    this.buffer = buffer;
    this.#capacity = capacity;
    this.workspace.moved();
  }

  /** Overwrites rows from `row` on. */
  write(row: number, values: Float32Array): void {
    this.workspace.gpu.write(this.buffer, row * this.width * 4, values);
  }

  dispose(): void {
    this.workspace.gpu.free(this.buffer);
  }
}

function usage(): GPUBufferUsageFlags {
  return GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
}

