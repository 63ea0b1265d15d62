import { decodeWith } from "./codecs.ts";
import type { Image } from "./image.ts";
import type { JpegHeader } from "./jpeg.ts";
import { leaveOut } from "./jpeg-components.ts";

/** Pillow's MULDIV255: a b / 255, rounded. */
function product(a: number, b: number): number {
  const scaled = a * b + 128;
  return ((scaled >> 8) + scaled) >> 8;
}

/** One ink of Pillow's CMYK to RGB: what the black leaves of the light, less the share of it that the ink takes. */
const shine = (ink: number, light: number) => light - product(ink, light);

/**
 * A JPEG of four components as PIL's `convert("RGB")` gives it. mozjpeg's wasm build refuses such files, so it decodes
 * two of three components instead: the inks without black, and black with two of the inks. Every value is taken to be
 * stored inverted, as in Adobe's files and in PIL. In YCCK the inks are 255 - RGB of a YCbCr picture, hence RGB after
 * the inversion.
 */
export async function decodeCmyk(bytes: Uint8Array, header: JpegHeader): Promise<Image> {
  const { width, height, frame, adobeTransform } = header;
  if (frame > 0xc2) throw new Error("only Huffman-coded JPEGs of four components are supported");
  const ycck = adobeTransform === 2;
  const inks = await decodeWith("jpeg", leaveOut(bytes, header, 3, ycck ? 1 : 0));
  const black = await decodeWith("jpeg", leaveOut(bytes, header, 2, 0));
  const data = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    const light = black.data[from + 2];
    for (let c = 0; c < 3; c++) data[to + c] = shine(ycck ? inks.data[from + c] : 255 - inks.data[from + c], light);
  }
  return { width, height, data };
}
