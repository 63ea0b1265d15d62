/** Values of what learns, between the GPU and the host, by pieces: a matrix may be larger than what memory has to spare. */
import type { HostTensor } from "../generate/runtime.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Slot } from "./slots.ts";

/** Bytes that are on the host at once. */
const PIECE = 16 * 2 ** 20;

/** The bytes of `count` f32 elements of a buffer from `offset` on, in pieces. */
export async function* readPieces(gpu: Gpu, buffer: GPUBuffer, offset: number, count: number): AsyncGenerator<Uint8Array> {
  const end = (offset + count) * 4;
  for (let at = offset * 4; at < end; at += PIECE) {
    yield new Uint8Array(await gpu.read(buffer, at, Math.min(PIECE, end - at)));
  }
}

/** Byte ranges of at most one piece that cover [0, bytes). */
export function pieceRanges(bytes: number): [start: number, end: number][] {
  return Array.from({ length: Math.ceil(bytes / PIECE) }, (_, i) => [i * PIECE, Math.min(bytes, (i + 1) * PIECE)]);
}

/** The f32 values of slots in the buffers that hold them, by the checkpoint's (for adapters peft's) tensor names. */
export async function readSlots(
  gpu: Gpu,
  slots: readonly Slot[],
  buffer: (slot: Slot) => GPUBuffer,
): Promise<Record<string, HostTensor>> {
  const result: Record<string, HostTensor> = {};
  for (const slot of slots) {
    const bytes = await gpu.read(buffer(slot), slot.offset * 4, slot.count * 4);
    result[slot.foreignName] = { shape: [...slot.shape], data: new Float32Array(bytes) };
  }
  return result;
}
