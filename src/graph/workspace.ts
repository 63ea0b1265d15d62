import type { Gpu } from "../gpu/gpu.ts";

/**
 * The arenas that the programs of one model share. Programs run one after another on one queue and copy their outputs
 * out before they end, so they can use the same memory.
 */
export class Workspace {
  readonly arenas: GPUBuffer[] = [];
  /** Grows when a buffer is replaced; programs then make their bind groups anew. */
  generation = 0;

  constructor(readonly gpu: Gpu) {}

  /** Makes every arena at least as large as asked. Throws `GpuMemoryError`; the old arena stays then. */
  async reserve(sizes: readonly number[]): Promise<void> {
    for (const [index, bytes] of sizes.entries()) {
      const old = this.arenas[index];
      if (old && old.size >= bytes) continue;
      this.arenas[index] = await this.gpu.allocate(`arena ${index}`, bytes, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC);
      this.generation++;
      if (old) this.gpu.free(old);
    }
  }

  /** Tells programs that a resident's buffer was replaced. */
  moved(): void {
    this.generation++;
  }

  dispose(): void {
    for (const arena of this.arenas) this.gpu.free(arena);
    this.arenas.length = 0;
    this.generation++;
  }
}
