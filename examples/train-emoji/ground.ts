/** What drawings lie on: white, light, graded, or any colour. */
import type { Random } from "llava-webgpu/train";
import { between, pickWeighted } from "./lots.ts";
import type { Canvas } from "./picture.ts";

type Colour = readonly [number, number, number];

/** Fills a canvas with a random ground: 55 % white, 15 % light, 15 % graded between light colours, 15 % any colour. */
export function layGround(canvas: Canvas, random: Random): void {
  const colour = (darkest: number): Colour =>
    [between(random, darkest, 1), between(random, darkest, 1), between(random, darkest, 1)];
  const kind = pickWeighted(random, [["white", 55], ["light", 15], ["graded", 15], ["any", 15]]);
  if (kind === "graded") grade(canvas, colour(0.75), colour(0.7), between(random, 0, 2 * Math.PI));
  else fill(canvas, kind === "white" ? [1, 1, 1] : colour(kind === "light" ? 0.75 : 0));
}

/** One colour everywhere. */
export function fill({ data }: Canvas, [red, green, blue]: Colour): void {
  for (let i = 0; i < data.length; i += 3) {
    data[i] = red;
    data[i + 1] = green;
    data[i + 2] = blue;
  }
}

/** From one colour to another in the direction of an angle. */
function grade({ width, height, data }: Canvas, from: Colour, to: Colour, angle: number): void {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const reach = Math.abs(cos) + Math.abs(sin);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 3) {
      const along = (((2 * x + 1) / width - 1) * cos + ((2 * y + 1) / height - 1) * sin) / reach;
      const share = 0.5 + along / 2;
      for (let c = 0; c < 3; c++) data[i + c] = from[c] + (to[c] - from[c]) * share;
    }
  }
}
