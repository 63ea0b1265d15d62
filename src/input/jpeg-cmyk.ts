import { decodeWith } from "./codecs.ts";
import { dropAlpha } from "./image.ts";
import type { Image } from "./image.ts";
import type { JpegHeader } from "./jpeg.ts";
import { splitPlanes } from "./jpeg-planes.ts";

const fix = (x: number) => Math.floor(x * 65536 + 0.5);
const clamp8 = (value: number) => (value < 0 ? 0 : value > 255 ? 255 : value);

/** Pillow's MULDIV255: a b / 255, rounded. */
function product(a: number, b: number): number {
  const scaled = a * b + 128;
  return ((scaled >> 8) + scaled) >> 8;
}

/** One ink of Pillow's CMYK to RGB: 255 - k, less the share of it that the ink takes. */
const shine = (ink: number, black: number) => clamp8(255 - black - product(ink, 255 - black));

/**
 * A JPEG of four components as PIL's `convert("RGB")` gives it. mozjpeg's wasm build refuses such files, so the planes
 * are decoded one by one as grey pictures, which is exact. The four values are taken as inverted inks whether or not
 * Adobe's marker is there, as PIL does; YCCK is turned into inks with libjpeg's integer constants (jdcolor.c).
 *
 * Subsampled files, which are rare, go through jpeg-js: a few levels off, since it repeats pixels where libjpeg
 * interpolates.
 */
export async function decodeCmyk(bytes: Uint8Array, header: JpegHeader): Promise<Image> {
  const { width, height, components } = header;
  const sequential = header.frame >= 0xc0 && header.frame <= 0xc2;
  if (!sequential || components.some(({ h, v }) => h !== 1 || v !== 1)) return decodeSubsampled(bytes, header);
  const planes: Uint8ClampedArray[] = [];
  for (const file of splitPlanes(bytes, header)) planes.push((await decodeWith("jpeg", file)).data);
  const data = new Uint8Array(width * height * 3);
  for (let pixel = 0, at = 0; at < data.length; pixel += 4, at += 3) {
    let [red, green, blue] = [planes[0][pixel], planes[1][pixel], planes[2][pixel]]; // inverted inks
    if (header.adobeTransform === 2) [red, green, blue] = inverted(red, green - 128, blue - 128);
    const black = 255 - planes[3][pixel];
    data[at] = shine(255 - red, black);
    data[at + 1] = shine(255 - green, black);
    data[at + 2] = shine(255 - blue, black);
  }
  return { width, height, data };
}

/** YCbCr to RGB, which are the inverted inks of YCCK. */
function inverted(y: number, cb: number, cr: number): [number, number, number] {
  return [
    clamp8(y + ((fix(1.402) * cr + 32768) >> 16)),
    clamp8(y + ((32768 - fix(0.34414) * cb - fix(0.71414) * cr) >> 16)),
    clamp8(y + ((fix(1.772) * cb + 32768) >> 16)),
  ];
}

async function decodeSubsampled(bytes: Uint8Array, { width, height }: JpegHeader): Promise<Image> {
  const { decode } = await import("jpeg-js");
  const limits = { maxResolutionInMP: Infinity, maxMemoryUsageInMB: Infinity };
  const { data } = decode(bytes, { useTArray: true, tolerantDecoding: false, ...limits });
  return dropAlpha(width, height, data);
}
