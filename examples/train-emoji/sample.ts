/** Drawings resampled into a square by an affine map, with bilinear taps. */
import type { Drawing } from "./drawings.ts";
import type { Pose } from "./pose.ts";

/** How many pixels of the drawing one step in the square may skip before a smaller copy is sampled instead. */
const LONGEST_STEP = 1.5;

/** Buffers for copies of a drawing with a border of transparent pixels, one a size. */
const copies = new Map<number, Uint8Array>();

function bordered(size: number): Uint8Array {
  let copy = copies.get(size);
  if (!copy) copies.set(size, (copy = new Uint8Array((size + 2) ** 2 * 4)));
  return copy;
}

/**
 * Fills `target`, premultiplied RGBA [size, size, 4] in 0..1, with the drawing as the pose maps it; transparent outside.
 * Drawings that shrink much are halved first, as often as needed, by means of 2 x 2 pixels.
 */
export function sampleDrawing(
  { pixels, size: from }: Pick<Drawing, "pixels" | "size">,
  pose: Pose,
  target: Float32Array,
  size: number,
): void {
  const [a, b, c, d, e, f] = pose;
  let width = from;
  let source = bordered(from);
  for (let y = 0; y < from; y++) source.set(pixels.subarray(y * from * 4, (y + 1) * from * 4), ((y + 1) * (from + 2) + 1) * 4);
  const shrink = Math.sqrt(Math.abs(a * e - b * d)) / size;
  while (width * shrink > LONGEST_STEP && width % 2 === 0) {
    source = halve(source, width);
    width /= 2;
  }

  const row = (width + 2) * 4;
  const half = width / 2;
  const step = 2 / size;
  const [stepX, stepY] = [a * step * half, d * step * half];
  const u = 0.5 * step - 1;
  for (let y = 0, to = 0; y < size; y++) {
    const v = (y + 0.5) * step - 1;
    // In the bordered copy, whose pixel centres are at whole numbers.
    let px = (a * u + b * v + c + 1) * half + 0.5;
    let py = (d * u + e * v + f + 1) * half + 0.5;
    for (let x = 0; x < size; x++, to += 4, px += stepX, py += stepY) {
      if (px <= 0 || py <= 0 || px >= width + 1 || py >= width + 1) {
        target[to] = target[to + 1] = target[to + 2] = target[to + 3] = 0;
        continue;
      }
      const left = Math.floor(px);
      const top = Math.floor(py);
      const fx = px - left;
      const fy = (py - top) / 255;
      const gy = 1 / 255 - fy;
      const w00 = (1 - fx) * gy;
      const w01 = fx * gy;
      const w10 = (1 - fx) * fy;
      const w11 = fx * fy;
      const i = top * row + left * 4;
      const j = i + row;
      target[to] = source[i] * w00 + source[i + 4] * w01 + source[j] * w10 + source[j + 4] * w11;
      target[to + 1] = source[i + 1] * w00 + source[i + 5] * w01 + source[j + 1] * w10 + source[j + 5] * w11;
      target[to + 2] = source[i + 2] * w00 + source[i + 6] * w01 + source[j + 2] * w10 + source[j + 6] * w11;
      target[to + 3] = source[i + 3] * w00 + source[i + 7] * w01 + source[j + 3] * w10 + source[j + 7] * w11;
    }
  }
}

/** Means of 2 x 2 pixels of a bordered picture. */
function halve(source: Uint8Array, width: number): Uint8Array {
  const target = bordered(width / 2);
  const row = (width + 2) * 4;
  for (let y = 0; y < width / 2; y++) {
    let from = (2 * y + 1) * row + 4;
    let to = (y + 1) * (width / 2 + 2) * 4 + 4;
    for (let x = 0; x < width / 2; x++, from += 8, to += 4) {
      for (let c = 0, i = from; c < 4; c++, i++) {
        target[to + c] = (source[i] + source[i + 4] + source[i + row] + source[i + row + 4] + 2) >> 2;
      }
    }
  }
  return target;
}
