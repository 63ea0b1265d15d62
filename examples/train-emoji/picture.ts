/** Pictures: finished ones of bytes, and canvases that are painted on. */

/** RGB bytes [height, width, 3], row by row. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A picture in the making: RGB in 0..1, [height, width, 3]. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

/** A square of a canvas, in pixels. */
export interface Square {
  readonly left: number;
  readonly top: number;
  readonly size: number;
}

export function makeCanvas(width: number, height: number = width): Canvas {
  return { width, height, data: new Float32Array(width * height * 3) };
}

/** Premultiplied RGBA of a square [size, size, 4] in 0..1 laid over a canvas; both the square and the canvas may overlap in part. */
export function layOver(canvas: Canvas, rgba: Float32Array, { left, top, size }: Square): void {
  const { width, height, data } = canvas;
  for (let y = Math.max(0, -top); y < Math.min(size, height - top); y++) {
    for (let x = Math.max(0, -left); x < Math.min(size, width - left); x++) {
      const from = 4 * (y * size + x);
      const to = 3 * ((top + y) * width + left + x);
      const rest = 1 - rgba[from + 3];
      data[to] = rgba[from] + data[to] * rest;
      data[to + 1] = rgba[from + 1] + data[to + 1] * rest;
      data[to + 2] = rgba[from + 2] + data[to + 2] * rest;
    }
  }
}

/** A canvas as bytes; values outside 0..1 are cut. */
export function toPicture({ width, height, data }: Canvas): Picture {
  const bytes = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) bytes[i] = Math.min(255, Math.max(0, data[i] * 255 + 0.5));
  return { width, height, data: bytes };
}

/** The middle of a picture. */
export function cutMiddle(picture: Picture, width: number, height: number): Picture {
  return cut(picture, (picture.width - width) >> 1, (picture.height - height) >> 1, width, height);
}

/** One of the four quarters of a picture, by number: top left, top right, bottom left, bottom right. */
export function quarterOf(picture: Picture, corner: number): Picture {
  const [width, height] = [picture.width / 2, picture.height / 2];
  return cut(picture, (corner % 2) * width, (corner >> 1) * height, width, height);
}

function cut(picture: Picture, left: number, top: number, width: number, height: number): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const from = 3 * ((top + y) * picture.width + left);
    data.set(picture.data.subarray(from, from + 3 * width), 3 * y * width);
  }
  return { width, height, data };
}
