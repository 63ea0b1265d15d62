/** Pictures of coloured shapes, and what there is to ask about them. The same number gives the same picture everywhere. */
import { encode } from "fast-png";
import { Random } from "llava-webgpu/train";

export const SIZE = 32;

export const colours = {
  red: [214, 48, 40],
  green: [38, 160, 70],
  blue: [45, 80, 200],
  yellow: [240, 205, 50],
  purple: [140, 60, 165],
} as const;

/** Whether a point is inside, by its place relative to the centre in units of the shape's size: x to the right, y down. */
const shapes = {
  circle: (x: number, y: number) => x * x + y * y < 1,
  square: (x: number, y: number) => Math.max(Math.abs(x), Math.abs(y)) < 0.86,
  triangle: (x: number, y: number) => y < 0.75 && y > 2 * Math.abs(x) - 0.95,
  cross: (x: number, y: number) => Math.min(Math.abs(x), Math.abs(y)) < 0.3 && Math.max(Math.abs(x), Math.abs(y)) < 1,
} as const;

export type Colour = keyof typeof colours;
export type Shape = keyof typeof shapes;

export interface Drawing {
  readonly shape: Shape;
  readonly colour: Colour;
  /** The picture as a PNG file. */
  readonly png: Uint8Array;
}

/** One shape somewhere on a light ground, its size, place and exact shade drawn by lot. */
export function draw(number: number): Drawing {
  const random = new Random(number);
  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)]!;
  const between = (low: number, high: number) => low + (high - low) * random.uniform();
  const shape = pick(Object.keys(shapes) as Shape[]);
  const colour = pick(Object.keys(colours) as Colour[]);
  const radius = between(9, 12);
  const [x, y] = [between(13, SIZE - 13), between(13, SIZE - 13)];
  const ground = between(215, 255);
  const ink = colours[colour].map((value) => Math.min(255, Math.max(0, value + between(-18, 18))));
  const data = new Uint8Array(SIZE * SIZE * 3);
  for (let i = 0; i < SIZE * SIZE; i++) {
    const [u, v] = [((i % SIZE) + 0.5 - x) / radius, (Math.floor(i / SIZE) + 0.5 - y) / radius];
    const pixel = shapes[shape](u, v) ? ink : [ground, ground, ground];
    data.set(pixel.map(Math.round), 3 * i);
  }
  return { shape, colour, png: encode({ width: SIZE, height: SIZE, channels: 3, data }) };
}

/** What is asked about every picture. */
export const questions = {
  shape: { words: "What shape is it?", answer: ({ shape }: Drawing) => `a ${shape}` },
  colour: { words: "What colour is it?", answer: ({ colour }: Drawing) => colour },
} as const;
