/** Imitations of other ways to draw: black outlines with a paler filling, flat steps of colour. */
import type { Random } from "llava-webgpu/train";
import { between, chance, integerBetween } from "./lots.ts";

export interface StyleOptions {
  /** Probability of outlines. */
  readonly outline: number;
  /** Probability of colour steps. */
  readonly steps: number;
}

/**
 * Changes a drawing, premultiplied RGBA [size, size, 4] in 0..1, by lot.
 *
 * @returns whether its filling may have paled, so that its colours should not be asked for
 */
export function restyle(rgba: Float32Array, size: number, random: Random, { outline, steps }: StyleOptions): boolean {
  if (chance(random, steps)) posterise(rgba, integerBetween(random, 3, 6));
  if (!chance(random, outline)) return false;
  const fill = chance(random, 0.5) ? 1 : random.uniform();
  drawOutlines(rgba, size, { threshold: between(random, 0.25, 0.5), strength: between(random, 0.6, 1), fill });
  return true;
}

/** Rounds each colour to `steps` steps; opacity stays. */
export function posterise(rgba: Float32Array, steps: number): void {
  for (let i = 0; i < rgba.length; i += 4) {
    const alpha = rgba[i + 3];
    if (alpha === 0) continue;
    for (let c = i; c < i + 3; c++) rgba[c] = Math.round(rgba[c] / alpha * steps) / steps * alpha;
  }
}

export interface OutlineOptions {
  /** Contrast among the 3 x 3 pixels around from which a pixel turns dark. */
  readonly threshold: number;
  /** Opacity of the lines. */
  readonly strength: number;
  /** Opacity of what they enclose. */
  readonly fill: number;
}

/** Draws black lines where colour (over white) or opacity changes sharply. */
export function drawOutlines(rgba: Float32Array, size: number, { threshold, strength, fill }: OutlineOptions): void {
  const contrast = localContrast(rgba, size);
  for (let p = 0, i = 0; p < contrast.length; p++, i += 4) {
    const line = Math.min(1, Math.max(0, (contrast[p] - threshold) * 6)) * strength;
    const kept = fill * (1 - line);
    rgba[i] *= kept;
    rgba[i + 1] *= kept;
    rgba[i + 2] *= kept;
    rgba[i + 3] = Math.max(rgba[i + 3] * fill, line);
  }
}

/** The largest difference among 3 x 3 pixels in red, green, blue (over white) or opacity, [size, size]. */
function localContrast(rgba: Float32Array, size: number): Float32Array {
  const result = new Float32Array(size * size);
  const channel = new Float32Array(size * size);
  const low = new Float32Array(size * size);
  const high = new Float32Array(size * size);
  for (let c = 0; c < 4; c++) {
    for (let p = 0; p < channel.length; p++) channel[p] = rgba[4 * p + c] + (c < 3 ? 1 - rgba[4 * p + 3] : 0);
    for (let y = 0, p = 0; y < size; y++) {
      for (let x = 0; x < size; x++, p++) {
        const left = channel[x > 0 ? p - 1 : p];
        const right = channel[x < size - 1 ? p + 1 : p];
        low[p] = Math.min(left, channel[p], right);
        high[p] = Math.max(left, channel[p], right);
      }
    }
    for (let y = 0, p = 0; y < size; y++) {
      const up = y > 0 ? size : 0;
      const down = y < size - 1 ? size : 0;
      for (let x = 0; x < size; x++, p++) {
        const range = Math.max(high[p - up], high[p], high[p + down]) - Math.min(low[p - up], low[p], low[p + down]);
        if (range > result[p]) result[p] = range;
      }
    }
  }
  return result;
}
