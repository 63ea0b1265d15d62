import { ImageError, blankImage } from "./image.ts";
import type { Image } from "./image.ts";

/** The first picture of a GIF, found but not decoded. */
export interface GifHeader {
  readonly width: number;
  readonly height: number;
  readonly frame: { readonly left: number; readonly top: number; readonly width: number; readonly height: number };
  readonly interlaced: boolean;
  /** 256 RGB triples: the frame's own colours, or the file's; black beyond their end, as in PIL. */
  readonly palette: Uint8Array;
  /** Index of the transparent colour. */
  readonly transparent?: number;
  readonly codeSize: number;
  /** The compressed bytes, their blocks put together. */
  readonly compressed: Uint8Array;
}

/** Walks the blocks up to the end of the first frame. Throws `ImageError` if the file ends before. */
export function readGif(bytes: Uint8Array, source: string): GifHeader {
  let at = 6;
  const take = (count: number) => {
    if (at + count > bytes.length) throw new ImageError(source, "the GIF is cut short");
    at += count;
    return bytes.subarray(at - count, at);
  };
  const blocks = () => {
    const parts: Uint8Array[] = [];
    for (let length = take(1)[0]; length > 0; length = take(1)[0]) parts.push(take(length));
    return parts;
  };
  const short = (from: Uint8Array, i: number) => from[i] + from[i + 1] * 256;
  const colours = (flags: number) => (flags & 0x80 ? take(3 << ((flags & 7) + 1)) : undefined);

  const screen = take(7);
  const shared = colours(screen[4]);
  let transparent: number | undefined;
  for (;;) {
    const [kind] = take(1);
    if (kind === 0x21) {
      const [label] = take(1);
      const [control] = blocks();
      if (label === 0xf9 && control?.length >= 4) transparent = control[0] & 1 ? control[3] : undefined;
    } else if (kind === 0x2c) {
      const place = take(9);
      const known = colours(place[8]) ?? shared;
      const [codeSize] = take(1);
      const parts = blocks();
      const frame = { left: short(place, 0), top: short(place, 2), width: short(place, 4), height: short(place, 6) };
      // A frame may reach beyond the screen that the file promises; the screen grows, as in PIL.
      const width = Math.max(short(screen, 0), frame.left + frame.width);
      const height = Math.max(short(screen, 2), frame.top + frame.height);
      if (frame.width === 0 || frame.height === 0) throw new ImageError(source, "the GIF's first frame has no pixels");
      if (!known) throw new ImageError(source, "the GIF has no palette");
      if (codeSize < 2 || codeSize > 8) throw new ImageError(source, `the GIF is damaged: code size ${codeSize}`);
      const compressed = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
      let to = 0;
      for (const part of parts) {
        compressed.set(part, to);
        to += part.length;
      }
      const palette = new Uint8Array(3 * 256);
      palette.set(known);
      const interlaced = (place[8] & 0x40) !== 0;
      return { width, height, frame, interlaced, palette, transparent, codeSize, compressed };
    } else {
      throw new ImageError(source, kind === 0x3b ? "the GIF holds no picture" : "the GIF is damaged");
    }
  }
}

/**
 * LZW with codes of growing length (at most 12 bits): `count` palette indices. Throws `ImageError` if the data ends
 * before or holds a code that no encoder can have written.
 *
 * No library serves here: on such a code omggif 1.0.10 may loop without end, and gifuct-js 2.1.2 and modern-gif 2.1.0
 * put colour 0 where data is missing and say nothing; so every code would have to be followed here before they see it.
 */
function lzw({ compressed, codeSize }: GifHeader, count: number, source: string): Uint8Array {
  const incomplete = () => new ImageError(source, "the GIF is cut short: its first frame is incomplete");
  const clear = 1 << codeSize;
  const out = new Uint8Array(count);
  const prefix = new Uint16Array(4096);
  const suffix = new Uint8Array(4096);
  const lengths = new Uint16Array(4096).fill(1, 0, clear);
  for (let i = 0; i < clear; i++) suffix[i] = i;
  let [size, next, previous] = [codeSize + 1, clear + 2, -1];
  let [bits, held, from, to] = [0, 0, 0, 0];
  while (to < count) {
    while (bits < size) {
      if (from === compressed.length) throw incomplete();
      held |= compressed[from++] << bits;
      bits += 8;
    }
    const code = held & ((1 << size) - 1);
    held >>>= size;
    bits -= size;
    if (code === clear) {
      [size, next, previous] = [codeSize + 1, clear + 2, -1];
      continue;
    }
    if (code === clear + 1) throw incomplete();
    if (code > next || (code === next && previous < 0) || (previous < 0 && code > clear)) {
      throw new ImageError(source, "the GIF is damaged: its compressed data makes no sense");
    }
    // A code not yet in the table stands for the previous string and its own first byte.
    const known = code < next;
    let at = known ? code : previous;
    const length = lengths[at] + (known ? 0 : 1);
    let end = to + lengths[at] - 1;
    for (; end > to; end--, at = prefix[at]) if (end < count) out[end] = suffix[at];
    out[to] = suffix[at];
    if (!known && to + length - 1 < count) out[to + length - 1] = suffix[at];
    if (previous >= 0 && next < 4096) {
      prefix[next] = previous;
      suffix[next] = suffix[at];
      lengths[next] = lengths[previous] + 1;
      next++;
      if (next === 1 << size && size < 12) size++;
    }
    previous = code;
    to += length;
  }
  return out;
}

/** Rows of an interlaced frame in the order in which they are stored. */
function rowOrder(height: number, interlaced: boolean): number[] {
  const starts = interlaced ? [[0, 8], [4, 8], [2, 4], [1, 2]] : [[0, 1]];
  return starts.flatMap(([first, step]) => {
    const rows: number[] = [];
    for (let row = first; row < height; row += step) rows.push(row);
    return rows;
  });
}

/**
 * The first frame as PIL's `convert("RGB")` gives it: transparency is dropped, so that the colour of the transparent
 * index shows; where the frame does not cover the screen, that colour too, or else colour 0.
 */
export function decodeGif(header: GifHeader, source: string): Image {
  const { frame, palette, transparent } = header;
  const colour = (index: number) => palette.subarray(index * 3, index * 3 + 3);
  const image = blankImage(header.width, header.height, Array.from(colour(transparent ?? 0)));
  const indices = lzw(header, frame.width * frame.height, source);
  for (const [i, row] of rowOrder(frame.height, header.interlaced).entries()) {
    let at = ((frame.top + row) * header.width + frame.left) * 3;
    for (let x = 0; x < frame.width; x++, at += 3) image.data.set(colour(indices[i * frame.width + x]), at);
  }
  return transparent === undefined ? image : { ...image, transparent: Array.from(colour(transparent)) };
}
