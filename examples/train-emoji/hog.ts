/** Features of a drawing without learning: histograms of oriented gradients, and coarse colours. */
import type { Drawing } from "./drawings.ts";
import type { Picture } from "./picture.ts";
import { resizeSquare } from "./resize.ts";

const SIZE = 48;
const CELLS = 8;
const BINS = 9;
const BLOCKS = CELLS - 1;
const COARSE = 12;

/** Length of the histograms: blocks of 2 x 2 cells. */
export const HOG_LENGTH = BLOCKS * BLOCKS * 4 * BINS;

/** Length of the colours. */
export const COLOUR_LENGTH = COARSE * COARSE * 3;

/** A cropped drawing over white. */
export function overWhite({ pixels, size }: Pick<Drawing, "pixels" | "size">): Picture {
  const data = new Uint8Array(size * size * 3);
  for (let i = 0, o = 0; i < pixels.length; i += 4) {
    for (let c = 0; c < 3; c++) data[o++] = pixels[i + c] + 255 - pixels[i + 3];
  }
  return { width: size, height: size, data };
}

/** A picture at the size that the features are measured on, 48 px. */
export function shrink(picture: Picture): Picture {
  return resizeSquare(picture, SIZE, "bicubic");
}

/** 12 x 12 colours of a picture of 48 px, as distance from white in 0..1. */
export function coarseColours(picture: Picture): Float32Array {
  return Float32Array.from(resizeSquare(picture, COARSE, "box").data, (value) => (255 - value) / 255);
}

/**
 * Of a picture of 48 px, by Dalal and Triggs 2005: 8 x 8 cells of 9 unsigned orientations, blocks of 2 x 2 cells of
 * length 1, values cut at 0.2; the whole then has length 1.
 */
export function orientedGradients({ data }: Picture): Float32Array {
  const grey = Float32Array.from({ length: SIZE * SIZE }, (_, i) => {
    return (0.299 * data[3 * i] + 0.587 * data[3 * i + 1] + 0.114 * data[3 * i + 2]) / 255;
  });
  const result = new Float32Array(HOG_LENGTH);
  const cells = cellHistograms(grey);
  for (let y = 0, at = 0; y < BLOCKS; y++) {
    for (let x = 0; x < BLOCKS; x++, at += 4 * BINS) {
      const block = result.subarray(at, at + 4 * BINS);
      const cell = y * CELLS + x;
      for (const [k, part] of [cell, cell + CELLS, cell + 1, cell + CELLS + 1].entries()) {
        block.set(cells.subarray(part * BINS, (part + 1) * BINS), k * BINS);
      }
      const norm = Math.sqrt(squares(block) + 0.01);
      for (let i = 0; i < block.length; i++) block[i] = Math.min(0.2, block[i] / norm);
    }
  }
  const norm = Math.sqrt(squares(result)) + 1e-6;
  return result.map((value) => value / norm);
}

/** Each pixel's gradient, shared between the two nearest of 9 orientations; one-sided differences at the border. */
function cellHistograms(grey: Float32Array): Float32Array {
  const histograms = new Float32Array(CELLS * CELLS * BINS);
  const side = SIZE / CELLS;
  const slope = (i: number, at: number, stride: number): number => {
    const before = at > 0 ? i - stride : i;
    const after = at < SIZE - 1 ? i + stride : i;
    return (grey[after] - grey[before]) * stride / (after - before);
  };
  for (let y = 0, i = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++, i++) {
      const [across, down] = [slope(i, x, 1), slope(i, y, SIZE)];
      const angle = (Math.atan2(down, across) + Math.PI) % Math.PI;
      const place = angle / Math.PI * BINS;
      const bin = Math.floor(place);
      const share = place - bin;
      const cell = (Math.floor(y / side) * CELLS + Math.floor(x / side)) * BINS;
      const length = Math.hypot(across, down);
      histograms[cell + bin % BINS] += length * (1 - share);
      histograms[cell + (bin + 1) % BINS] += length * share;
    }
  }
  return histograms;
}

/** The sum of the squares. */
export function squares(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value * value, 0);
}
