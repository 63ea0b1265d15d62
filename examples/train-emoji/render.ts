/** One drawing's file -> pixels. */
import { colourShares } from "./colours.ts";
import type { Sharp, SharpImage } from "./packages.ts";

/** Side of the picture on which colours are measured. */
const MEASURED = 64;

const transparent = { r: 0, g: 0, b: 0, alpha: 0 };

/** Cropped to its ink and padded to a square. */
export interface Rendered {
  /** Premultiplied RGBA [size, size, 4]. */
  readonly pixels: Uint8Array;
  /** Shares of the 11 colours. */
  readonly shares: number[];
}

/** Renders a drawing cropped to its ink; nothing when it has none. */
export async function renderCropped(sharp: Sharp, bytes: Uint8Array, size: number): Promise<Rendered | undefined> {
  const { data, info } = await sharp(bytes, { limitInputPixels: false }).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  const box = inkBox(data, info.width, info.height);
  if (!box) return undefined;
  const fitted = (side: number): Promise<Uint8Array> =>
    pixels(
      sharp(data, { raw: { width: info.width, height: info.height, channels: 4 } })
        .extract(box)
        .resize(side, side, { fit: "contain", background: transparent, kernel: "cubic" }),
    );
  return { pixels: premultiply(await fitted(size)), shares: colourShares(await fitted(MEASURED)) };
}

/** Renders a drawing as its vendor placed it, over white: RGB [size, size, 3]. */
export async function renderOverWhite(sharp: Sharp, bytes: Uint8Array, size: number): Promise<Uint8Array> {
  const rgba = await pixels(sharp(bytes).ensureAlpha().resize(size, size, { fit: "contain", background: transparent }));
  const rgb = new Uint8Array(size * size * 3);
  for (let i = 0, o = 0; i < rgba.length; i += 4) {
    const alpha = rgba[i + 3] / 255;
    for (let c = 0; c < 3; c++) rgb[o++] = Math.round(rgba[i + c] * alpha + 255 * (1 - alpha));
  }
  return rgb;
}

async function pixels(image: SharpImage): Promise<Uint8Array> {
  return (await image.raw().toBuffer({ resolveWithObject: true })).data;
}

/** The smallest rectangle around all pixels that are not almost transparent. */
function inkBox(rgba: Uint8Array, width: number, height: number) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0, i = 3; y < height; y++) {
    for (let x = 0; x < width; x++, i += 4) {
      if (rgba[i] <= 8) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
    }
  }
  return right < 0 ? undefined : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

function premultiply(rgba: Uint8Array): Uint8Array {
  const result = Uint8Array.from(rgba);
  for (let i = 0; i < rgba.length; i += 4) {
    for (let c = 0; c < 3; c++) result[i + c] = Math.round(rgba[i + c] * rgba[i + 3] / 255);
  }
  return result;
}
