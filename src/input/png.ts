import { ImageError } from "./image.ts";
import type { Image } from "./image.ts";
import { channelsOf, readSamples } from "./png-samples.ts";

/** What the chunks of a PNG say before any pixel is decoded. */
export interface PngHeader {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha. */
  readonly colourType: number;
  readonly interlaced: boolean;
  /** RGB triples of colour type 3. */
  readonly palette: Uint8Array;
  /** The one fully transparent colour, see `Image`. */
  readonly transparent?: readonly number[];
  /** The eXIf chunk. */
  readonly exif?: Uint8Array;
  /** The IDAT chunks: one zlib stream in pieces. */
  readonly compressed: readonly Uint8Array[];
}

const depthsOf: Record<number, readonly number[]> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** CRC-32 (ISO 3309), as PNG, zip and Python's `zlib.crc32` have it. */
export function crc32(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) value = crcTable[(value ^ bytes[i]) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

/**
 * The one colour that a tRNS chunk makes fully transparent, as far as PIL follows it: an entry of a palette whose other
 * entries are all opaque, or a colour of 8-bit grey or RGB.
 */
function transparentColour(chunk: Uint8Array, colourType: number, depth: number, palette: Uint8Array) {
  if (colourType === 3) {
    const entry = chunk.indexOf(0);
    const single = entry >= 0 && chunk.every((alpha, i) => alpha === (i === entry ? 0 : 255));
    return single && entry * 3 < palette.length ? Array.from(palette.subarray(entry * 3, entry * 3 + 3)) : undefined;
  }
  if (depth !== 8) return undefined;
  if (colourType === 0 && chunk.length >= 2) return [chunk[1], chunk[1], chunk[1]];
  return colourType === 2 && chunk.length >= 6 ? [chunk[1], chunk[3], chunk[5]] : undefined;
}

/** Walks the chunks up to IEND. Throws `ImageError` if one is cut short, damaged or senseless. */
export function readPng(bytes: Uint8Array, source: string): PngHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let head: DataView | undefined;
  let palette = new Uint8Array(0);
  let exif: Uint8Array | undefined;
  let alpha: Uint8Array = new Uint8Array(0);
  const compressed: Uint8Array[] = [];
  for (let at = 8; ; ) {
    if (at + 12 > bytes.length) throw new ImageError(source, "the PNG is cut short (no IEND chunk)");
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const end = at + 8 + length;
    if (end + 4 > bytes.length) throw new ImageError(source, `the PNG is cut short inside its ${kind} chunk`);
    const critical = (bytes[at + 4] & 0x20) === 0;
    if (critical && crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end)) {
      throw new ImageError(source, `the PNG is damaged: wrong checksum of its ${kind} chunk`);
    }
    const data = bytes.subarray(at + 8, end);
    if (kind === "IHDR" && length === 13) head ??= new DataView(data.buffer, data.byteOffset, length);
    else if (kind === "PLTE") palette = data.slice();
    else if (kind === "tRNS") alpha = data;
    else if (kind === "eXIf") exif = data;
    else if (kind === "IDAT") compressed.push(data);
    else if (kind === "IEND") break;
    at = end + 4;
  }
  if (!head) throw new ImageError(source, "the PNG is damaged: it has no IHDR chunk");
  const [width, height] = [head.getUint32(0), head.getUint32(4)];
  const [depth, colourType, interlace] = [head.getUint8(8), head.getUint8(9), head.getUint8(12)];
  if (width === 0 || height === 0) throw new ImageError(source, `the PNG has ${width} x ${height} pixels`);
  if (!depthsOf[colourType]?.includes(depth) || head.getUint16(10) !== 0 || interlace > 1) {
    throw new ImageError(source, `the PNG is damaged: depth ${depth} with colour type ${colourType} does not exist`);
  }
  if (colourType === 3 && palette.length === 0) throw new ImageError(source, "the PNG is damaged: it has no palette");
  const transparent = transparentColour(alpha, colourType, depth, palette);
  return { width, height, depth, colourType, interlaced: interlace === 1, palette, transparent, exif, compressed };
}

/** RGB triples of the values that a sample of at most 8 bits can take; black beyond the end of a palette, as in PIL. */
function colourTable({ depth, colourType, palette }: PngHeader): Uint8Array {
  const table = new Uint8Array(3 * 256);
  if (colourType === 3) table.set(palette.subarray(0, table.length));
  else for (let i = 0; i < table.length; i++) table[i] = (Math.floor(i / 3) * 255) / (2 ** Math.min(depth, 8) - 1);
  return table;
}

/**
 * The pixels of a PNG as PIL's `convert("RGB")` gives them: alpha dropped, palettes and small depths expanded, 16-bit
 * colour cut to its high byte, 16-bit grey clipped at 255; of an animated one the default picture.
 */
export async function decodePng(header: PngHeader, source: string): Promise<Image> {
  const { width, height, depth, colourType, transparent } = header;
  const samples = await readSamples(header, source);
  const channels = channelsOf[colourType];
  // Pillow keeps the high byte of 16 bits, except that plain grey becomes an integer picture, clipped at 255.
  const shift = depth === 16 && colourType !== 0 ? 8 : 0;
  const table = colourTable(header);
  const data = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < data.length; from += channels, to += 3) {
    if (channels >= 3) {
      data[to] = samples[from] >> shift;
      data[to + 1] = samples[from + 1] >> shift;
      data[to + 2] = samples[from + 2] >> shift;
    } else {
      const entry = 3 * Math.min(samples[from] >> shift, 255);
      data[to] = table[entry];
      data[to + 1] = table[entry + 1];
      data[to + 2] = table[entry + 2];
    }
  }
  return { width, height, data, transparent };
}
