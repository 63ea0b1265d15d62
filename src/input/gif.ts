import { GifReader } from "omggif";
import { cropImage, dropAlpha, ImageError } from "./image.ts";
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
  /** The compressed data as it lies in the file: code size, blocks, the empty block at their end. */
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
  /** Steps over blocks and gives the first. */
  const blocks = () => {
    const first = take(take(1)[0]);
    for (let length = first.length; length > 0; ) length = take(take(1)[0]).length;
    return first;
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
      const control = blocks();
      if (label === 0xf9 && control.length >= 4) transparent = control[0] & 1 ? control[3] : undefined;
    } else if (kind === 0x2c) {
      const place = take(9);
      const known = colours(place[8]) ?? shared;
      const from = at;
      const [codeSize] = take(1);
      blocks();
      const frame = { left: short(place, 0), top: short(place, 2), width: short(place, 4), height: short(place, 6) };
      // A frame may reach beyond the screen that the file promises; the screen grows, as in PIL.
      const width = Math.max(short(screen, 0), frame.left + frame.width);
      const height = Math.max(short(screen, 2), frame.top + frame.height);
      if (frame.width === 0 || frame.height === 0) throw new ImageError(source, "the GIF's first frame has no pixels");
      if (!known) throw new ImageError(source, "the GIF has no palette");
      if (codeSize < 2 || codeSize > 8) throw new ImageError(source, `the GIF is damaged: code size ${codeSize}`);
      const palette = new Uint8Array(3 * 256);
      palette.set(known);
      const interlaced = (place[8] & 0x40) !== 0;
      return { width, height, frame, interlaced, palette, transparent, compressed: bytes.subarray(from, at) };
    } else {
      throw new ImageError(source, kind === 0x3b ? "the GIF holds no picture" : "the GIF is damaged");
    }
  }
}

/** A GIF of the frame alone: no screen around it, no transparency, no more than omggif needs to know. */
function frameFile({ frame, interlaced, palette, compressed }: GifHeader): Uint8Array {
  const { width, height } = frame;
  const size = [width & 255, width >> 8, height & 255, height >> 8];
  const screen = [...new TextEncoder().encode("GIF89a"), ...size, 0x87, 0, 0];
  const place = [0x2c, 0, 0, 0, 0, ...size, interlaced ? 0x40 : 0];
  const file = new Uint8Array(screen.length + palette.length + place.length + compressed.length + 1);
  let at = 0;
  for (const part of [screen, palette, place, compressed, [0x3b]]) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

/**
 * Runs `decode` with what it writes on the console made an error. omggif says there, and nowhere else, that a frame has
 * fewer or more pixels than its data, and goes on with a picture that has holes. It does not wait for anything, so no
 * other code runs while the console is not itself.
 */
function withWarningsThrown(decode: () => void): void {
  const { log } = console;
  console.log = (warning: unknown) => {
    throw new Error(String(warning));
  };
  try {
    decode();
  } finally {
    console.log = log;
  }
}

/**
 * The first frame as PIL's `convert("RGB")` gives it: transparency is dropped, so that the colour of the transparent
 * index shows; where the frame does not cover the screen, that colour too, or else colour 0.
 */
export function decodeGif(header: GifHeader, source: string): Image {
  const { width, height, frame, palette, transparent } = header;
  const rgba = new Uint8Array(frame.width * frame.height * 4);
  try {
    withWarningsThrown(() => new GifReader(frameFile(header)).decodeAndBlitFrameRGBA(0, rgba));
  } catch (cause) {
    throw new ImageError(source, "the GIF is cut short or damaged: its first frame cannot be decoded", { cause });
  }
  const colour = (index: number) => Array.from(palette.subarray(index * 3, index * 3 + 3));
  const picture = dropAlpha(frame.width, frame.height, rgba);
  const image = cropImage(picture, -frame.left, -frame.top, width, height, colour(transparent ?? 0));
  return transparent === undefined ? image : { ...image, transparent: colour(transparent) };
}
