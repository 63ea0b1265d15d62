/** Pictures of a drawing and a written word, which the tiles of AnyRes show twice as large as the whole picture does. */
import type { Random } from "llava-webgpu/train";
import { cellOf } from "./collage.ts";
import { develop } from "./develop.ts";
import type { Drawing } from "./drawings.ts";
import { layGround } from "./ground.ts";
import { otherCorner } from "./layouts.ts";
import { between, chance, integerBetween } from "./lots.ts";
import { type Canvas, layOver, makeCanvas, type Picture, toPicture } from "./picture.ts";
import { randomPose } from "./pose.ts";
import { sampleDrawing } from "./sample.ts";
import type { WordMask } from "./words.ts";

/** A picture of a sign and a drawing. */
export interface Sign {
  readonly picture: Picture;
  readonly word: string;
  /** Corners by number: top left, top right, bottom left, bottom right. */
  readonly corner: number;
  readonly drawingCorner: number;
}

/** Least room between a word and the border of its quarter, in pixels. */
const MARGIN = 3;
/** Most that a word lies off the middle of its quarter, in pixels. */
const SHIFT = 6;

/** Paints signs on squares of twice the tile's side; its buffers serve all pictures. */
export class SignPainter {
  readonly tile: number;
  readonly #canvas: Canvas;
  readonly #layer: Float32Array;

  /** @param tile side of a tile, a quarter of the picture, in pixels */
  constructor(tile: number) {
    this.tile = tile;
    this.#canvas = makeCanvas(2 * tile);
    this.#layer = new Float32Array(tile * tile * 4);
  }

  /** Whether a word fits into a quarter. */
  fits({ width, height }: WordMask): boolean {
    return Math.max(width, height) + 2 * MARGIN <= this.tile;
  }

  /** The word in one corner, the drawing in another. The word must fit. */
  paint(drawing: Drawing, mask: WordMask, random: Random): Sign {
    const canvas = this.#canvas;
    layGround(canvas, random);
    const corner = random.integer(4);
    const drawingCorner = otherCorner(corner, random);
    const place = cellOf({ layout: "2x2" }, drawingCorner, canvas.width);
    const pose = randomPose(random, { scale: [0.72, 1], flippable: drawing.concept.flippable, calm: true });
    sampleDrawing(drawing, pose, this.#layer, this.tile);
    layOver(canvas, this.#layer, { ...place, size: this.tile });
    const quarter = cellOf({ layout: "2x2" }, corner, canvas.width);
    const left = quarter.left + this.#moved(mask.width, random);
    const top = quarter.top + this.#moved(mask.height, random);
    writeWord(canvas, mask, left, top, random);
    develop(canvas, random, { wild: chance(random, 0.1), rough: 0.05, cutOut: 0 });
    return { picture: toPicture(canvas), word: mask.word, corner, drawingCorner };
  }

  /** Where something of a length begins: in the middle of the quarter, give or take. */
  #moved(length: number, random: Random): number {
    const slack = this.tile - length;
    const most = Math.min(SHIFT, Math.floor(slack / 2) - MARGIN);
    return Math.floor(slack / 2) + integerBetween(random, -most, most);
  }
}

/** Dark letters on a light ground or light ones on a dark one; every second word on a board. */
function writeWord(canvas: Canvas, mask: WordMask, left: number, top: number, random: Random): void {
  if (chance(random, 0.5)) {
    const dark = chance(random, 0.5);
    paintBoard(canvas, mask, left, top, shade(random, dark ? [0, 0.35] : [0.75, 1]));
  }
  const isDark = luminance(canvas, left, top, mask) < 0.5;
  const ink = shade(random, isDark ? [0.85, 1] : [0, 0.25]);
  for (let y = 0, m = 0; y < mask.height; y++) {
    for (let x = 0, i = 3 * ((top + y) * canvas.width + left); x < mask.width; x++, m++) {
      const opacity = mask.alpha[m] / 255;
      for (let c = 0; c < 3; c++, i++) canvas.data[i] += (ink[c] - canvas.data[i]) * opacity;
    }
  }
}

function shade(random: Random, [low, high]: readonly [number, number]): number[] {
  return [between(random, low, high), between(random, low, high), between(random, low, high)];
}

/** A rectangle around the word. */
function paintBoard({ width, data }: Canvas, mask: WordMask, left: number, top: number, colour: readonly number[]): void {
  for (let y = top - MARGIN; y < top + mask.height + MARGIN; y++) {
    const row = 3 * (y * width + left - MARGIN);
    for (let i = 0; i < 3 * (mask.width + 2 * MARGIN); i++) data[row + i] = colour[i % 3];
  }
}

/** Mean brightness of what lies under a word. */
function luminance({ width, data }: Canvas, left: number, top: number, mask: WordMask): number {
  let sum = 0;
  for (let y = top; y < top + mask.height; y++) {
    for (let i = 3 * (y * width + left); i < 3 * (y * width + left + mask.width); i += 3) {
      sum += 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
    }
  }
  return sum / (mask.width * mask.height);
}
