import { decode } from "fast-png";
import type { PngDataArray } from "fast-png";
import { zlibSync } from "fflate";
import { ImageError } from "./image.ts";
import type { PngHeader } from "./png.ts";

/** Samples of a pixel, by colour type. */
export const channelsOf: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** One picture of the interlacing: pixels (left + i stepX, top + j stepY). */
interface Pass {
  readonly left: number;
  readonly top: number;
  readonly stepX: number;
  readonly stepY: number;
}

const whole: readonly Pass[] = [{ left: 0, top: 0, stepX: 1, stepY: 1 }];
const adam7: readonly Pass[] = [
  { left: 0, top: 0, stepX: 8, stepY: 8 },
  { left: 4, top: 0, stepX: 8, stepY: 8 },
  { left: 0, top: 4, stepX: 4, stepY: 8 },
  { left: 2, top: 0, stepX: 4, stepY: 4 },
  { left: 0, top: 2, stepX: 2, stepY: 4 },
  { left: 1, top: 0, stepX: 2, stepY: 2 },
  { left: 0, top: 1, stepX: 1, stepY: 2 },
];

/** Exactly `length` bytes of the zlib stream; what follows them is not read, so a bomb stays small. */
async function inflate(pieces: readonly Uint8Array[], length: number, source: string): Promise<Uint8Array> {
  const out = new Uint8Array(length);
  const inflater = new DecompressionStream("deflate");
  const writer = inflater.writable.getWriter();
  const feed = async () => {
    for (const piece of pieces) await writer.write(piece as Uint8Array<ArrayBuffer>);
    await writer.close();
  };
  feed().catch(() => {}); // the reader below sees the same error
  const reader = inflater.readable.getReader();
  let at = 0;
  try {
    while (at < length) {
      const { done, value } = await reader.read();
      if (done) break;
      out.set(value.subarray(0, length - at), at);
      at += value.length;
    }
  } catch (cause) {
    throw new ImageError(source, "the PNG is damaged: its compressed data cannot be read", { cause });
  }
  reader.cancel().catch(() => {});
  if (at < length) throw new ImageError(source, "the PNG is cut short: its compressed data ends early");
  return out;
}

type Kind = Pick<PngHeader, "width" | "height" | "depth" | "colourType" | "interlaced">;

/**
 * Filters and interlacing undone by fast-png: `raw` holds the inflated rows, which go into a PNG of their own as stored
 * (uncompressed) data. Given the file itself, fast-png would inflate all there is, whatever size the header promises,
 * and in JavaScript, which takes longer than the platform's inflate and this copy together.
 */
function unfilter(raw: Uint8Array, { width, height, depth, colourType, interlaced }: Kind): PngDataArray {
  const head = new Uint8Array(13);
  head.set([depth, colourType, 0, 0, Number(interlaced)], 8);
  new DataView(head.buffer).setUint32(0, width);
  new DataView(head.buffer).setUint32(4, height);
  const chunks = { IHDR: head, IDAT: zlibSync(raw, { level: 0 }), IEND: new Uint8Array(0) };
  const file = new Uint8Array(8 + 3 * 12 + head.length + chunks.IDAT.length);
  file.set([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
  let at = 8;
  for (const [name, data] of Object.entries(chunks)) {
    new DataView(file.buffer).setUint32(at, data.length);
    file.set(new TextEncoder().encode(name), at + 4);
    file.set(data, at + 8);
    at += 12 + data.length; // without a checksum, for which fast-png does not ask
  }
  return decode(file).data;
}

/**
 * The samples of a PNG, 0 to 2^depth - 1, row by row with the channels of a pixel side by side. Throws `ImageError` if
 * the compressed data is damaged or too short.
 */
export async function readSamples(header: PngHeader, source: string): Promise<PngDataArray> {
  const { width, height, depth, colourType, interlaced } = header;
  const passes = (interlaced ? adam7 : whole).flatMap((pass) => {
    const columns = Math.ceil((width - pass.left) / pass.stepX);
    const rows = Math.ceil((height - pass.top) / pass.stepY);
    const stride = Math.ceil((columns * depth * channelsOf[colourType]) / 8);
    return columns > 0 && rows > 0 ? [{ ...pass, columns, rows, stride }] : [];
  });
  const length = passes.reduce((sum, { rows, stride }) => sum + rows * (1 + stride), 0);
  const raw = await inflate(header.compressed, length, source);
  try {
    if (depth >= 8) return unfilter(raw, header);
    // Of interlaced pictures fast-png 8.0.0 takes samples of less than a byte for whole bytes, so it gets one pass at a
    // time, as a grey picture of its packed bytes; the filters work on bytes anyway.
    const samples = new Uint8Array(width * height);
    const mask = (1 << depth) - 1;
    let at = 0;
    for (const { left, top, stepX, stepY, columns, rows, stride } of passes) {
      const end = at + rows * (1 + stride);
      const kind = { width: stride, height: rows, depth: 8, colourType: 0, interlaced: false };
      const packed = unfilter(raw.subarray(at, end), kind);
      for (let y = 0; y < rows; y++) {
        let to = (top + y * stepY) * width + left;
        for (let bit = 0; bit < columns * depth; bit += depth, to += stepX) {
          samples[to] = (packed[y * stride + (bit >> 3)] >> (8 - depth - (bit & 7))) & mask;
        }
      }
      at = end;
    }
    return samples;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ImageError(source, `the PNG is damaged: its rows cannot be decoded (${why})`, { cause });
  }
}
