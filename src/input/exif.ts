import type { Image } from "./image.ts";

const prefix = [0x45, 0x78, 0x69, 0x66, 0, 0]; // "Exif", two zero bytes

/**
 * The orientation (1 to 8) of an EXIF block: a TIFF header and its first directory, with or without "Exif" in front.
 * Damaged, missing or senseless values count as 1, upright, as in PIL.
 */
export function readOrientation(block: Uint8Array): number {
  const start = prefix.every((byte, i) => block[i] === byte) ? prefix.length : 0;
  const view = new DataView(block.buffer, block.byteOffset + start, Math.max(0, block.byteLength - start));
  if (view.byteLength < 14) return 1;
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return 1;
  const little = order === 0x4949;
  const directory = view.getUint32(4, little);
  if (view.getUint16(2, little) !== 42 || directory + 2 > view.byteLength) return 1;
  const entries = view.getUint16(directory, little);
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + i * 12;
    if (entry + 12 > view.byteLength) return 1;
    if (view.getUint16(entry, little) !== 0x0112) continue;
    const value = view.getUint16(entry + 8, little); // type SHORT: the value lies in the entry itself
    return value >= 1 && value <= 8 && view.getUint16(entry + 2, little) === 3 ? value : 1;
  }
  return 1;
}

/**
 * The picture turned upright. Orientations: 1 as stored, 2 mirrored left to right, 3 turned by 180 degrees, 4 mirrored
 * top to bottom, 5 to 8 the same with rows and columns exchanged (6: turn clockwise, 8: counter-clockwise).
 */
export function applyOrientation(image: Image, orientation: number): Image {
  if (orientation === 1) return image;
  const { width, height, data } = image;
  const swapped = orientation >= 5;
  const flipX = [2, 3, 7, 8].includes(orientation); // of the stored picture: read its columns from the right
  const flipY = [3, 4, 6, 7].includes(orientation); // and its rows from the bottom
  const outWidth = swapped ? height : width;
  const outHeight = swapped ? width : height;
  const out = new Uint8Array(data.length);
  let at = 0;
  for (let y = 0; y < outHeight; y++) {
    for (let x = 0; x < outWidth; x++) {
      const column = swapped ? y : x;
      const row = swapped ? x : y;
      let from = ((flipY ? height - 1 - row : row) * width + (flipX ? width - 1 - column : column)) * 3;
      out[at++] = data[from++];
      out[at++] = data[from++];
      out[at++] = data[from];
    }
  }
  return { ...image, width: outWidth, height: outHeight, data: out };
}
