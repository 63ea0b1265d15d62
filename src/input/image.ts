import { LlavaError } from "../../errors/index.ts";

/** A decoded picture: `data` holds height x width x 3 bytes, rows from the top, red, green, blue. */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
  /** The single colour that the file declares fully transparent, if it does so; its pixels still show it. */
  readonly transparent?: readonly number[];
}

/** Pixels that the caller already has: `data` is RGB or RGBA, 3 or 4 bytes a pixel (`ImageData` fits). */
export interface RawImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** A picture that cannot be read. `source` names the picture, `problem` says what is wrong with it. */
export class ImageError extends LlavaError {
  override name = "ImageError";
  readonly source: string;
  readonly problem: string;

  constructor(source: string, problem: string, options?: ErrorOptions) {
    super(`image ${source}: ${problem}`, options);
    this.source = source;
    this.problem = problem;
  }
}

/** An all-zero (black) picture of width x height pixels, or one filled with `colour`. */
export function blankImage(width: number, height: number, colour: readonly number[] = [0, 0, 0]): Image {
  const data = new Uint8Array(width * height * 3);
  if (colour.some((value) => value !== 0)) {
    for (let i = 0; i < data.length; i += 3) {
      data[i] = colour[0];
      data[i + 1] = colour[1];
      data[i + 2] = colour[2];
    }
  }
  return { width, height, data };
}

/**
 * The part of `image` that starts at (`left`, `top`) and measures width x height; what lies outside of the picture is
 * black. `left` and `top` may be negative: so this crops, pads, or both.
 */
export function cropImage(image: Image, left: number, top: number, width: number, height: number): Image {
  const out = blankImage(width, height);
  const x0 = Math.max(left, 0);
  const x1 = Math.min(left + width, image.width);
  if (x1 <= x0) return out;
  for (let y = Math.max(top, 0); y < Math.min(top + height, image.height); y++) {
    const row = image.data.subarray((y * image.width + x0) * 3, (y * image.width + x1) * 3);
    out.data.set(row, ((y - top) * width + x0 - left) * 3);
  }
  return out;
}

/** RGBA bytes to RGB: alpha is dropped and the colour under it shows, as PIL's `convert("RGB")` does. */
export function dropAlpha(width: number, height: number, rgba: Uint8Array | Uint8ClampedArray): Image {
  const data = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    data[to] = rgba[from];
    data[to + 1] = rgba[from + 1];
    data[to + 2] = rgba[from + 2];
  }
  return { width, height, data };
}

/**
 * White where the file's transparent colour is. PIL keeps that colour as a note on the picture beyond
 * `convert("RGB")`, and transformers 5's image processors, which find the note, lay the picture over white.
 */
export function coverTransparent(image: Image): Image {
  if (!image.transparent) return image;
  const [red, green, blue] = image.transparent;
  const data = image.data.slice();
  for (let i = 0; i < data.length; i += 3) {
    if (data[i] === red && data[i + 1] === green && data[i + 2] === blue) data.fill(255, i, i + 3);
  }
  return { width: image.width, height: image.height, data };
}

/** Checks the caller's own pixels and copies them as RGB. Throws `ImageError` if the sizes do not fit together. */
export function imageFromRaw(raw: RawImage, source = "from raw pixels"): Image {
  const { width, height, data } = raw;
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new ImageError(source, `width and height must be positive integers, got ${width} x ${height}`);
  }
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    throw new ImageError(source, "data must be a Uint8Array or Uint8ClampedArray of RGB or RGBA bytes");
  }
  const pixels = width * height;
  if (data.length === pixels * 4) return dropAlpha(width, height, data);
  if (data.length === pixels * 3) return { width, height, data: new Uint8Array(data) };
  throw new ImageError(
    source,
    `${width} x ${height} pixels need ${pixels * 3} bytes of RGB or ${pixels * 4} of RGBA, got ${data.length}`,
  );
}
