import { GpuMemoryError } from "../gpu/error.ts";
import type { Resident } from "../graph/tensor.ts";
import type { Workspace } from "../graph/workspace.ts";
import type { ModelConfig } from "../models/config.ts";
import type { LlavaModel } from "../models/llava.ts";
import { contextLength } from "../models/rope.ts";

/** Tokens that a fresh cache has room for. */
const FIRST_CAPACITY = 256;

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
    const buffer = await gpu.allocateStorage(this.label, capacity * this.width * 4);
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

/** What a runtime keeps on the GPU beside the weights. */
export interface Residents {
  /** The cache, layer by layer. */
  readonly keys: readonly GrowingRows[];
  readonly values: readonly GrowingRows[];
  /** The rotary table. */
  readonly table: GrowingRows;
  /** Row 0 is the newline; then the features of one picture's tiles. */
  readonly features: GrowingRows;
  /** The packed rows of all pictures of the prompt. */
  readonly rows: GrowingRows;
}

/** Allocates the residents of a model for a short prompt; the rotary table is not written yet. Throws `GpuMemoryError`. */
export async function createResidents(workspace: Workspace, { rowsPerTile }: LlavaModel, { text }: ModelConfig): Promise<Residents> {
  const { layers, keyValueHeads, headSize, width } = text;
  const first = Math.min(FIRST_CAPACITY, contextLength(text));
  const create = (label: string, rowWidth: number, rows: number) => GrowingRows.create(workspace, label, rowWidth, rows);
  const perLayer = (name: string) =>
    Promise.all(Array.from({ length: layers }, (_, i) => create(`cache of layer ${i}: ${name}`, keyValueHeads * headSize, first)));
  return {
    keys: await perLayer("keys"),
    values: await perLayer("values"),
    table: await create("rotary table", headSize, first),
    features: await create("tile features", width, 1 + rowsPerTile),
    rows: await create("image rows", width, Math.max(1, rowsPerTile)),
  };
}

export function disposeResidents({ keys, values, table, features, rows }: Residents): void {
  for (const resident of [...keys, ...values, table, features, rows]) resident.dispose();
}
