import { decodeWith } from "./codecs.ts";
import { cropImage, dropAlpha, ImageError } from "./image.ts";
import type { Image } from "./image.ts";

/** What the chunks of a WebP say before any pixel is decoded. */
export interface WebpHeader {
  readonly width: number;
  readonly height: number;
  readonly exif?: Uint8Array;
  /** A still file that the decoder takes: the file itself, or the first frame of an animation. */
  readonly still: Uint8Array;
  /** Where the first frame of an animation lies on the canvas. */
  readonly offset?: { readonly left: number; readonly top: number };
}

interface Chunk {
  readonly kind: string;
  readonly data: Uint8Array;
  /** With its header and padding. */
  readonly whole: Uint8Array;
}

const u24 = (bytes: Uint8Array, at: number) => bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);

function chunks(bytes: Uint8Array, source: string): Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out: Chunk[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const kind = String.fromCharCode(...bytes.subarray(at, at + 4));
    const length = view.getUint32(at + 4, true);
    const end = at + 8 + length;
    if (end > bytes.length) throw new ImageError(source, `the WebP is cut short inside its ${kind} chunk`);
    const next = end + (length & 1); // subarray stops at the end of the bytes if the padding is missing
    out.push({ kind, data: bytes.subarray(at + 8, end), whole: bytes.subarray(at, next) });
    at = next;
  }
  return out;
}

/** [width, height] of a VP8 key frame or a VP8L stream. */
function streamSize({ kind, data }: Chunk, source: string): [number, number] {
  if (kind === "VP8L" && data.length >= 5 && data[0] === 0x2f) {
    const bits = (data[1] | (data[2] << 8) | (data[3] << 16) | (data[4] << 24)) >>> 0;
    return [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
  }
  if (kind === "VP8 " && data.length >= 10 && u24(data, 3) === 0x2a019d) {
    return [(data[6] | (data[7] << 8)) & 0x3fff, (data[8] | (data[9] << 8)) & 0x3fff];
  }
  throw new ImageError(source, "the WebP is damaged: its picture data has no header");
}

/** A RIFF file around the chunks of one animation frame; alpha needs the extended header in front. */
function stillFile(parts: readonly Chunk[], [width, height]: [number, number]): Uint8Array {
  const extended = new Uint8Array(18);
  extended.set(new TextEncoder().encode("VP8X"));
  extended[4] = 10;
  if (parts.some(({ kind }) => kind === "ALPH")) extended[8] = 0x10;
  for (let i = 0; i < 3; i++) {
    extended[12 + i] = (width - 1) >> (8 * i);
    extended[15 + i] = (height - 1) >> (8 * i);
  }
  const body = [extended, ...parts.map(({ whole }) => whole)];
  const length = body.reduce((sum, part) => sum + part.length, 0);
  const file = new Uint8Array(12 + length);
  file.set(new TextEncoder().encode("RIFF"));
  new DataView(file.buffer).setUint32(4, length + 4, true);
  file.set(new TextEncoder().encode("WEBP"), 8);
  let at = 12;
  for (const part of body) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

/** Walks the RIFF chunks. Throws `ImageError` if the file is shorter than it says or holds no picture. */
export function readWebp(bytes: Uint8Array, source: string): WebpHeader {
  const riff = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(4, true) + 8;
  if (riff > bytes.length) {
    throw new ImageError(source, `the WebP is cut short: ${bytes.length} of ${riff} bytes`);
  }
  const file = bytes.subarray(0, riff);
  const parts = chunks(file.subarray(12), source);
  const exif = parts.find(({ kind }) => kind === "EXIF")?.data;
  const animated = parts.find(({ kind }) => kind === "ANMF");
  if (animated && animated.data.length >= 16) {
    const canvas = parts[0].kind === "VP8X" && parts[0].data.length >= 10 ? parts[0].data : undefined;
    const frame = chunks(animated.data.subarray(16), source).filter(({ kind }) => /^(ALPH|VP8 |VP8L)$/.test(kind));
    const stream = frame.find(({ kind }) => kind !== "ALPH");
    if (!canvas || !stream) throw new ImageError(source, "the WebP is damaged: its animation has no first frame");
    return {
      width: u24(canvas, 4) + 1,
      height: u24(canvas, 7) + 1,
      exif,
      still: stillFile(frame, streamSize(stream, source)),
      offset: { left: 2 * u24(animated.data, 0), top: 2 * u24(animated.data, 3) },
    };
  }
  const stream = parts.find(({ kind }) => kind === "VP8 " || kind === "VP8L");
  if (!stream) throw new ImageError(source, "the WebP is damaged: it holds no picture");
  const [width, height] = streamSize(stream, source);
  if (width === 0 || height === 0) throw new ImageError(source, `the WebP has ${width} x ${height} pixels`);
  return { width, height, exif, still: file };
}

/** The pixels by libwebp, alpha dropped; the first frame of an animation on its (black) canvas. */
export async function decodeWebp(header: WebpHeader, source: string): Promise<Image> {
  let image: Image;
  try {
    const { width, height, data } = await decodeWith("webp", header.still);
    image = dropAlpha(width, height, data);
  } catch (cause) {
    throw new ImageError(source, "the WebP is damaged and cannot be decoded", { cause });
  }
  const { offset, width, height } = header;
  if (!offset) return image;
  return cropImage(image, -offset.left, -offset.top, width, height);
}
