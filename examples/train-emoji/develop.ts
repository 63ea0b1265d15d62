/** What happens to a whole picture: other hues and contrast, blur, noise, a covered part. */
import type { Random } from "llava-webgpu/train";
import { between, chance } from "./lots.ts";
import type { Canvas } from "./picture.ts";

export interface DevelopOptions {
  /** Turns hues far instead of a little, so that colours change their names. */
  readonly wild: boolean;
  /** Probability of blur, and of noise; 0.2. */
  readonly rough?: number;
  /** Probability of a covered rectangle. */
  readonly cutOut: number;
}

/** Changes a painted canvas by lot. Values may leave 0..1 until the canvas becomes bytes. */
export function develop(canvas: Canvas, random: Random, { wild, rough = 0.2, cutOut }: DevelopOptions): void {
  changeColours(canvas, random, wild);
  if (chance(random, rough)) blur(canvas);
  if (chance(random, rough)) addNoise(canvas, random, 0.03 * random.uniform());
  if (chance(random, cutOut)) cover(canvas, random);
}

/** Hue, saturation and contrast in one matrix: the first two turn and stretch the chroma plane of NTSC's YIQ. */
function changeColours({ data }: Canvas, random: Random, wild: boolean): void {
  const hue = between(random, -1, 1) * (wild ? 0.58 : 0.08);
  const saturation = 1 + between(random, -1, 1) * (wild ? 0.6 : 0.2);
  const contrast = between(random, 0.85, 1.15);
  const brightness = 0.5 - 0.5 * contrast + (chance(random, 0.5) ? between(random, -0.08, 0.08) : 0);
  const cos = Math.cos(hue) * saturation;
  const sin = Math.sin(hue) * saturation;
  for (let i = 0; i < data.length; i += 3) {
    const [red, green, blue] = [data[i], data[i + 1], data[i + 2]];
    const luma = 0.299 * red + 0.587 * green + 0.114 * blue;
    const orange = 0.596 * red - 0.274 * green - 0.322 * blue;
    const purple = 0.211 * red - 0.523 * green + 0.312 * blue;
    const p = orange * cos - purple * sin;
    const q = orange * sin + purple * cos;
    data[i] = (luma + 0.956 * p + 0.621 * q) * contrast + brightness;
    data[i + 1] = (luma - 0.272 * p - 0.647 * q) * contrast + brightness;
    data[i + 2] = (luma - 1.106 * p + 1.703 * q) * contrast + brightness;
  }
}

/** Means of 2 x 2 pixels, in place; the last row and column repeat. */
function blur({ width, height, data }: Canvas): void {
  for (let y = 0, i = 0; y < height; y++) {
    const down = y < height - 1 ? width * 3 : 0;
    for (let x = 0; x < width; x++) {
      const right = x < width - 1 ? 3 : 0;
      for (let c = 0; c < 3; c++, i++) data[i] = (data[i] + data[i + right] + data[i + down] + data[i + right + down]) / 4;
    }
  }
}

/** Independent noise on each value; the sum of two uniform numbers, close to normal and cheap. */
function addNoise({ data }: Canvas, random: Random, deviation: number): void {
  const scale = deviation * Math.sqrt(6);
  for (let i = 0; i < data.length; i++) data[i] += (random.uniform() + random.uniform() - 1) * scale;
}

/** Covers a rectangle of a sixth to two fifths of each side with one colour. */
function cover({ width, height, data }: Canvas, random: Random): void {
  const w = Math.round(width * between(random, 1 / 6, 0.4));
  const h = Math.round(height * between(random, 1 / 6, 0.4));
  const left = random.integer(width - w);
  const top = random.integer(height - h);
  const colour = [random.uniform(), random.uniform(), random.uniform()];
  for (let y = top; y < top + h; y++) {
    for (let i = 3 * (y * width + left); i < 3 * (y * width + left + w); i++) data[i] = colour[i % 3];
  }
}
