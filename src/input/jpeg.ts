import { decodeWith } from "./codecs.ts";
import { dropAlpha, ImageError } from "./image.ts";
import type { Image } from "./image.ts";
import { decodeCmyk } from "./jpeg-cmyk.ts";

/** One component of a JPEG's frame. */
export interface JpegComponent {
  readonly id: number;
  /** Sampling factors across and down. */
  readonly h: number;
  readonly v: number;
}

/** A marker segment: `start` is the position of its 0xff byte, `end` the first byte after it. */
export interface JpegSegment {
  readonly marker: number;
  readonly start: number;
  readonly end: number;
  /** After the length. */
  readonly data: Uint8Array;
  /** For a scan: where its entropy-coded bytes end; they start at `end`. */
  readonly scanEnd: number;
}

/** What the markers of a JPEG say before any pixel is decoded. */
export interface JpegHeader {
  readonly width: number;
  readonly height: number;
  /** Marker of the frame: 0xc0 and 0xc1 sequential, 0xc2 progressive. */
  readonly frame: number;
  readonly components: readonly JpegComponent[];
  /** Adobe's colour transform, if the file has that marker: 0 none, 1 YCbCr, 2 YCCK. */
  readonly adobeTransform?: number;
  readonly exif?: Uint8Array;
  readonly segments: readonly JpegSegment[];
}

const isFrame = (marker: number) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
const starts = (data: Uint8Array, text: string) => [...text].every((letter, i) => data[i] === letter.charCodeAt(0));

/** Position of the next marker's 0xff that is no stuffed zero and no restart marker. */
function endOfScan(bytes: Uint8Array, from: number): number {
  for (let at = from; at + 1 < bytes.length; at++) {
    const next = bytes[at + 1];
    if (bytes[at] === 0xff && next !== 0 && next !== 0xff && (next < 0xd0 || next > 0xd7)) return at;
  }
  return bytes.length;
}

/** Walks the markers up to the end of the picture. Throws `ImageError` if it does not come. */
export function readJpeg(bytes: Uint8Array, source: string): JpegHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const segments: JpegSegment[] = [];
  for (let at = 2; ; ) {
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++; // fill bytes
    if (at + 2 > bytes.length) throw new ImageError(source, "the JPEG is cut short (no end marker)");
    const marker = bytes[at + 1];
    if (bytes[at] !== 0xff) throw new ImageError(source, "the JPEG is damaged: no marker where one must be");
    if (marker === 0xd9) break;
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 2;
      continue;
    }
    const length = at + 4 <= bytes.length ? view.getUint16(at + 2) : 0;
    const end = at + 2 + length;
    if (length === 0 || end > bytes.length) throw new ImageError(source, "the JPEG is cut short inside its headers");
    if (length < 2) throw new ImageError(source, "the JPEG is damaged: a segment without length");
    const scanEnd = marker === 0xda ? endOfScan(bytes, end) : end;
    segments.push({ marker, start: at, end, data: bytes.subarray(at + 4, end), scanEnd });
    at = scanEnd;
  }
  const frame = segments.find(({ marker }) => isFrame(marker));
  const count = frame ? frame.data[5] : 0;
  if (!frame || frame.data.length < 6 + 3 * count || !segments.some(({ marker }) => marker === 0xda)) {
    throw new ImageError(source, "the JPEG is damaged: it holds no picture");
  }
  const [height, width] = [frame.data[1] * 256 + frame.data[2], frame.data[3] * 256 + frame.data[4]];
  if (width === 0 || height === 0) throw new ImageError(source, `the JPEG has ${width} x ${height} pixels`);
  if (frame.data[0] !== 8) throw new ImageError(source, `a JPEG of ${frame.data[0]} bits is not supported, 8 are`);
  const components = Array.from({ length: count }, (_, i) => {
    const [id, sampling] = frame.data.subarray(6 + 3 * i, 8 + 3 * i);
    return { id, h: sampling >> 4, v: sampling & 15 };
  });
  const adobe = segments.find(({ marker, data }) => marker === 0xee && data.length >= 12 && starts(data, "Adobe"));
  const exif = segments.find(({ marker, data }) => marker === 0xe1 && starts(data, "Exif\0\0"));
  return {
    width,
    height,
    frame: frame.marker,
    components,
    adobeTransform: adobe?.data[11],
    exif: exif?.data,
    segments,
  };
}

/** The pixels by mozjpeg, whose grey and colour results equal libjpeg-turbo's; four components: see `decodeCmyk`. */
export async function decodeJpeg(bytes: Uint8Array, header: JpegHeader, source: string): Promise<Image> {
  const { components } = header;
  if (components.length !== 1 && components.length !== 3 && components.length !== 4) {
    throw new ImageError(source, `a JPEG of ${components.length} components is not supported, 1, 3 and 4 are`);
  }
  try {
    if (components.length === 4) return await decodeCmyk(bytes, header);
    const { width, height, data } = await decodeWith("jpeg", bytes);
    return dropAlpha(width, height, data);
  } catch (cause) {
    const why = cause instanceof Error && components.length === 4 ? ` (${cause.message})` : "";
    throw new ImageError(source, `the JPEG cannot be decoded${why}; it is damaged or of a rare kind`, { cause });
  }
}
