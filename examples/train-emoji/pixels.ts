/** Pictures as a tower reads them. */
import type { Tensor } from "llava-webgpu";
import { clipPixels } from "../model-config.ts";
import type { Picture } from "./picture.ts";

/** Pictures of the tower's own size as pixels [B, 3, S, S]. */
export function normalised(pictures: readonly Pick<Picture, "data">[], size: number): Tensor {
  const { mean, deviation } = clipPixels;
  const area = size * size;
  const pixels = new Float32Array(pictures.length * 3 * area);
  for (const [b, { data }] of pictures.entries()) {
    for (let c = 0; c < 3; c++) {
      const to = (3 * b + c) * area;
      const [scale, shift] = [1 / (255 * deviation[c]), mean[c] / deviation[c]];
      for (let i = 0; i < area; i++) pixels[to + i] = data[3 * i + c] * scale - shift;
    }
  }
  return { shape: [pictures.length, 3, size, size], data: pixels };
}
