/** Pictures of several drawings in a grid. */
import type { Random } from "llava-webgpu/train";
import { develop } from "./develop.ts";
import type { Drawing } from "./drawings.ts";
import { layGround } from "./ground.ts";
import { type Arrangement, layouts } from "./layouts.ts";
import { between, chance } from "./lots.ts";
import { type Canvas, layOver, makeCanvas, type Picture, toPicture } from "./picture.ts";
import { randomPose } from "./pose.ts";
import { sampleDrawing } from "./sample.ts";
import { restyle } from "./style.ts";

/** A rectangle of a picture, in pixels. */
export interface Cell {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** A picture of several drawings. */
export interface Collage {
  readonly picture: Picture;
  /** Where each drawing lies, in their order. */
  readonly cells: readonly Cell[];
}

/** A cell of a layout on a square canvas. */
export function cellOf({ layout }: Pick<Arrangement, "layout">, cell: number, size: number): Cell {
  const { columns, rows } = layouts[layout];
  const [column, row] = [cell % columns, Math.floor(cell / columns)];
  const left = Math.round(column * size / columns);
  const top = Math.round(row * size / rows);
  return { left, top, width: Math.round((column + 1) * size / columns) - left, height: Math.round((row + 1) * size / rows) - top };
}

/** Paints collages of one size; its buffers serve all pictures. */
export class CollagePainter {
  readonly size: number;
  readonly #canvas: Canvas;
  readonly #layers = new Map<number, Float32Array>();

  /** @param size side of the pictures: twice the tile's, so that AnyRes gives each quarter a tile of its own */
  constructor(size: number) {
    this.size = size;
    this.#canvas = makeCanvas(size);
  }

  /** One drawing a cell; poses, styles, ground and colours by lot. */
  paint(drawings: readonly Drawing[], arrangement: Arrangement, random: Random): Collage {
    layGround(this.#canvas, random);
    const cells = arrangement.cells.map((cell) => cellOf(arrangement, cell, this.size));
    for (const [i, drawing] of drawings.entries()) this.#place(drawing, cells[i], random);
    develop(this.#canvas, random, { wild: chance(random, 0.1), cutOut: 0 });
    return { picture: toPicture(this.#canvas), cells };
  }

  /** In the middle of its cell, moved a little where there is room. */
  #place(drawing: Drawing, { left, top, width, height }: Cell, random: Random): void {
    const size = Math.min(width, height);
    const layer = this.#layer(size);
    sampleDrawing(drawing, randomPose(random, { scale: [0.72, 1], flippable: drawing.concept.flippable, calm: true }), layer, size);
    restyle(layer, size, random, { outline: 0.15, steps: 0.08 });
    const moved = (slack: number): number => Math.round(slack / 2 + between(random, -1, 1) * Math.min(slack / 2, this.size / 12));
    layOver(this.#canvas, layer, { left: left + moved(width - size), top: top + moved(height - size), size });
  }

  #layer(size: number): Float32Array {
    let layer = this.#layers.get(size);
    if (!layer) this.#layers.set(size, (layer = new Float32Array(size * size * 4)));
    return layer;
  }
}
