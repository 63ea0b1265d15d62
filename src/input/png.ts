import { ImageError } from "./image.ts";
import type { Image } from "./image.ts";

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

const samplesOf: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
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

/** Undoes the filter of one row in place; `above` is the finished row above it (zeros for the first). */
function unfilter(kind: number, row: Uint8Array, above: Uint8Array, pixel: number): boolean {
  const { length } = row;
  if (kind === 1) {
    for (let i = pixel; i < length; i++) row[i] += row[i - pixel];
  } else if (kind === 2) {
    for (let i = 0; i < length; i++) row[i] += above[i];
  } else if (kind === 3) {
    for (let i = 0; i < length; i++) row[i] += ((i < pixel ? 0 : row[i - pixel]) + above[i]) >> 1;
  } else if (kind === 4) {
    for (let i = 0; i < length; i++) {
      const a = i < pixel ? 0 : row[i - pixel];
      const b = above[i];
      const c = i < pixel ? 0 : above[i - pixel];
      const [toA, toB, toC] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
      row[i] += toA <= toB && toA <= toC ? a : toB <= toC ? b : c;
    }
  }
  return kind <= 4;
}

/** Writes RGB of the unfiltered `row` into `out`, from byte `at` on, `step` bytes from pixel to pixel. */
function expand(row: Uint8Array, header: PngHeader, pixels: number, out: Uint8Array, at: number, step: number): void {
  const { depth, colourType, palette } = header;
  const samples = samplesOf[colourType];
  const bytes = depth === 16 ? 2 : 1;
  const colour = samples >= 3;
  const mask = (1 << depth) - 1;
  for (let x = 0; x < pixels; x++, at += step) {
    if (depth < 8) {
      const bit = x * depth;
      const value = (row[bit >> 3] >> (8 - depth - (bit & 7))) & mask;
      if (colourType === 3) out.set(palette.subarray(value * 3, value * 3 + 3), at);
      else out.fill((value * 255) / mask, at, at + 3);
    } else if (colourType === 3) {
      out.set(palette.subarray(row[x] * 3, row[x] * 3 + 3), at);
    } else {
      const from = x * samples * bytes;
      // Pillow keeps the high byte of 16 bits, except that plain grey becomes an integer picture, clipped at 255.
      const clipped = colourType === 0 && depth === 16 && row[from] > 0;
      const red = clipped ? 255 : row[from + (colourType === 0 ? bytes - 1 : 0)];
      out[at] = red;
      out[at + 1] = colour ? row[from + bytes] : red;
      out[at + 2] = colour ? row[from + 2 * bytes] : red;
    }
  }
}

/**
 * The pixels of a PNG as PIL's `convert("RGB")` gives them: alpha dropped, palettes and small depths expanded, 16-bit
 * colour cut to its high byte, 16-bit grey clipped at 255; of an animated one the default picture. (Written here
 * because a Rust decoder compiled to wasm cannot be used again after it has met a damaged file.)
 */
export async function decodePng(header: PngHeader, source: string): Promise<Image> {
  const { width, height, depth, colourType, interlaced } = header;
  const pixelBits = depth * samplesOf[colourType];
  const pixelBytes = Math.ceil(pixelBits / 8);
  const passes = (interlaced ? adam7 : whole)
    .map((pass) => ({
      ...pass,
      columns: Math.ceil((width - pass.left) / pass.stepX),
      rows: Math.ceil((height - pass.top) / pass.stepY),
    }))
    .filter(({ columns, rows }) => columns > 0 && rows > 0);
  const rowBytes = (columns: number) => Math.ceil((columns * pixelBits) / 8);
  const length = passes.reduce((sum, { columns, rows }) => sum + rows * (1 + rowBytes(columns)), 0);
  const raw = await inflate(header.compressed, length, source);
  const data = new Uint8Array(width * height * 3);
  let at = 0;
  for (const { left, top, stepX, stepY, columns, rows } of passes) {
    const stride = rowBytes(columns);
    let above: Uint8Array = new Uint8Array(stride);
    for (let y = 0; y < rows; y++) {
      const row = raw.subarray(at + 1, at + 1 + stride);
      if (!unfilter(raw[at], row, above, pixelBytes)) {
        throw new ImageError(source, `the PNG is damaged: filter ${raw[at]} does not exist`);
      }
      expand(row, header, columns, data, ((top + y * stepY) * width + left) * 3, stepX * 3);
      above = row;
      at += 1 + stride;
    }
  }
  return { width, height, data, transparent: header.transparent };
}
