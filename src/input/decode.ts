import { openFile, pathOfUrl } from "#files";
import { applyOrientation, readOrientation } from "./exif.ts";
import { nameUnsupported, sniffFormat } from "./formats.ts";
import { decodeGif, readGif } from "./gif.ts";
import { ImageError, imageFromRaw } from "./image.ts";
import type { Image, RawImage } from "./image.ts";
import { decodeJpeg, readJpeg } from "./jpeg.ts";
import { decodePng, readPng } from "./png.ts";
import { decodeWebp, readWebp } from "./webp.ts";

/**
 * A picture: a path (Node), an http(s), data, blob or file URL, a `Blob` or `File`, encoded bytes, or the caller's own
 * RGB or RGBA pixels.
 */
export type PictureSource = string | URL | Blob | Uint8Array | ArrayBuffer | RawImage;

type EncodedSource = Exclude<PictureSource, RawImage>;

export interface DecodeOptions {
  /** "exif" (default) turns the picture as its EXIF data says, as Hugging Face does; "ignore" as original LLaVA. */
  readonly orientation?: "exif" | "ignore";
  /** Pictures of more pixels are refused before anything is allocated for them. Default 200 million. */
  readonly maxPixels?: number;
  readonly signal?: AbortSignal;
}

const isUrl = (text: string) => /^(https?|data|blob|file):/i.test(text);

function isEncoded(source: PictureSource): source is EncodedSource {
  return typeof source === "string" || [URL, Blob, Uint8Array, ArrayBuffer].some((kind) => source instanceof kind);
}

/** How a message calls the source: a path or URL (shortened), a file's name, or what it is. */
function nameOf(source: EncodedSource): string {
  if (typeof source === "string" || source instanceof URL) {
    const text = String(source);
    return text.length > 120 ? `${text.slice(0, 80)}... (${text.length} characters)` : text;
  }
  if (source instanceof Blob) return "name" in source ? String(source.name) : "from a Blob";
  return "from bytes";
}

const reasonOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause));

async function fetchBytes(url: string, name: string, signal?: AbortSignal): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    signal?.throwIfAborted();
    throw new ImageError(name, `cannot be fetched (${reasonOf(cause)})`, { cause });
  }
  throw new ImageError(name, `cannot be fetched: the server answered ${response.status} ${response.statusText}`);
}

async function readPath(path: string, name: string, signal?: AbortSignal): Promise<Uint8Array> {
  try {
    const file = await openFile(/^file:/i.test(path) ? pathOfUrl(new URL(path)) : path);
    return await file.read(0, file.size, signal).finally(() => file.close());
  } catch (cause) {
    signal?.throwIfAborted();
    throw new ImageError(name, `cannot be read (${reasonOf(cause)})`, { cause });
  }
}

async function readBytes(source: EncodedSource, name: string, signal?: AbortSignal): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  const text = String(source);
  if (!isUrl(text) || /^file:/i.test(text)) return readPath(text, name, signal);
  return fetchBytes(text, name, signal);
}

/** The header of any of the formats, and how to go on from it. */
interface Opened {
  readonly width: number;
  readonly height: number;
  readonly exif?: Uint8Array;
  readonly decode: () => Promise<Image> | Image;
}

function openPicture(bytes: Uint8Array, name: string): Opened {
  if (bytes.length === 0) throw new ImageError(name, "is empty");
  const format = sniffFormat(bytes);
  if (format === undefined || bytes.length < 16) {
    const known = nameUnsupported(bytes);
    if (format) throw new ImageError(name, `the file is cut short: ${bytes.length} bytes of a ${format}`);
    const what = known ? `is ${known}, which is not supported` : "is not a picture";
    throw new ImageError(name, `${what}; give a JPEG, PNG, WebP or GIF`);
  }
  if (format === "jpeg") {
    const header = readJpeg(bytes, name);
    return { ...header, decode: () => decodeJpeg(bytes, header, name) };
  }
  if (format === "png") {
    const header = readPng(bytes, name);
    return { ...header, decode: () => decodePng(header, name) };
  }
  if (format === "webp") {
    const header = readWebp(bytes, name);
    return { ...header, decode: () => decodeWebp(header, name) };
  }
  const header = readGif(bytes, name);
  return { ...header, decode: () => decodeGif(header, name) };
}

const countOf = (pixels: number) => (pixels < 1e6 ? `${pixels} pixels` : `${Math.round(pixels / 1e5) / 10} megapixels`);

/** A picture as it lies in its file, and how errors call it. */
export interface EncodedPicture {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Reads a picture without decoding it; the caller's own pixels are checked and copied. Bytes that the caller gave are
 * not copied.
 *
 * Throws `ImageError` if it cannot be had, and the signal's reason when aborted.
 */
export async function readPicture(source: PictureSource, signal?: AbortSignal): Promise<EncodedPicture | Image> {
  signal?.throwIfAborted();
  if (!isEncoded(source)) {
    if (typeof source === "object" && source !== null && "data" in source) return imageFromRaw(source);
    const kinds = "a path, URL, Blob, bytes or { width, height, data }";
    throw new ImageError(`of type ${source === null ? "null" : typeof source}`, `give ${kinds}`);
  }
  const name = nameOf(source);
  const bytes = await readBytes(source, name, signal);
  signal?.throwIfAborted();
  return { name, bytes };
}

/** Decodes what `readPicture` has read. Throws as `decodeImage`. */
export async function decodePicture(picture: EncodedPicture | Image, options: DecodeOptions = {}): Promise<Image> {
  if (!("bytes" in picture)) return picture;
  const { orientation = "exif", maxPixels = 200e6, signal } = options;
  const { name, bytes } = picture;
  const opened = openPicture(bytes, name);
  const { width, height } = opened;
  if (width * height > maxPixels) {
    const size = `${width} x ${height} pixels are ${countOf(width * height)}`;
    throw new ImageError(name, `${size}, more than the limit of ${countOf(maxPixels)}; scale it down first`);
  }
  const image = await opened.decode();
  signal?.throwIfAborted();
  return orientation === "exif" && opened.exif ? applyOrientation(image, readOrientation(opened.exif)) : image;
}

/**
 * Reads a picture as PIL does when transformers opens it by path: RGB, alpha dropped, turned upright. JPEG (also CMYK),
 * PNG, WebP and GIF, recognised by their bytes; of an animation the first frame. The caller's own pixels are copied.
 *
 * Throws `ImageError`, which names the picture, if it is empty, cut short, damaged, of another format, or larger than
 * `maxPixels`, or if it cannot be had at all; throws the signal's reason when aborted.
 */
export async function decodeImage(source: PictureSource, options: DecodeOptions = {}): Promise<Image> {
  return decodePicture(await readPicture(source, options.signal), options);
}
