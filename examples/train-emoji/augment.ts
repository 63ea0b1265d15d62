/** A drawing -> one of endlessly many pictures of it. */
import type { Random } from "llava-webgpu/train";
import { develop } from "./develop.ts";
import type { Drawing } from "./drawings.ts";
import { layGround } from "./ground.ts";
import { chance } from "./lots.ts";
import { type Canvas, layOver, makeCanvas, type Picture, toPicture } from "./picture.ts";
import { randomPose } from "./pose.ts";
import { sampleDrawing } from "./sample.ts";
import { restyle, type StyleOptions } from "./style.ts";

/** Probabilities, and the range of sizes. */
export interface AugmentOptions extends Partial<StyleOptions> {
  /** Smallest and largest share of the picture's side that the drawing takes; 0.6 to 1.02. */
  readonly scale?: readonly [number, number];
  /** Hues turned far; 0.15. */
  readonly wild?: number;
  /** A covered rectangle; 0.15. */
  readonly cutOut?: number;
}

/** A picture of one drawing. */
export interface Augmented {
  readonly picture: Picture;
  /** Whether the colours are still the drawing's: questions about them are fair. */
  readonly faithful: boolean;
}

/** Paints drawings on squares of one size; its buffers serve all pictures. */
export class Augmenter {
  readonly size: number;
  readonly #canvas: Canvas;
  readonly #layer: Float32Array;

  /** @param size side of the pictures in pixels */
  constructor(size: number) {
    this.size = size;
    this.#canvas = makeCanvas(size);
    this.#layer = new Float32Array(size * size * 4);
  }

  /** A picture of a drawing: pose, style, ground and colours by lot. */
  augment(drawing: Drawing, random: Random, options: AugmentOptions = {}): Augmented {
    const { scale = [0.6, 1.02], wild = 0.15, cutOut = 0.15, outline = 0.22, steps = 0.12 } = options;
    layGround(this.#canvas, random);
    const { flippable } = drawing.concept;
    sampleDrawing(drawing, randomPose(random, { scale, flippable }), this.#layer, this.size);
    const paled = restyle(this.#layer, this.size, random, { outline, steps });
    layOver(this.#canvas, this.#layer, { left: 0, top: 0, size: this.size });
    const isWild = chance(random, wild);
    develop(this.#canvas, random, { wild: isWild, cutOut });
    return { picture: toPicture(this.#canvas), faithful: !isWild && !paled };
  }
}

/** Two pictures in one. */
export interface Mixed {
  readonly picture: Picture;
  /** The share of the first picture's area that is left. */
  readonly share: number;
  /** What the second picture covers, in pixels. */
  readonly covered: { readonly left: number; readonly top: number; readonly width: number; readonly height: number };
}

/**
 * CutMix (Yun et al. 2019): a random rectangle of the second picture replaces the same of the first. Its area is uniform
 * in 0..1 before it is cut at the border.
 */
export function cutMix(first: Picture, second: Picture, random: Random): Mixed {
  const { width, height } = first;
  const side = Math.sqrt(random.uniform());
  const [x, y] = [random.integer(width), random.integer(height)];
  const left = Math.max(0, Math.round(x - side * width / 2));
  const right = Math.min(width, Math.round(x + side * width / 2));
  const top = Math.max(0, Math.round(y - side * height / 2));
  const bottom = Math.min(height, Math.round(y + side * height / 2));
  const data = Uint8Array.from(first.data);
  for (let row = top; row < bottom; row++) {
    const [from, to] = [3 * (row * width + left), 3 * (row * width + right)];
    data.set(second.data.subarray(from, to), from);
  }
  const covered = { left, top, width: right - left, height: bottom - top };
  return { picture: { width, height, data }, share: 1 - covered.width * covered.height / (width * height), covered };
}
