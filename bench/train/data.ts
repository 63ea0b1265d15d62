/** Something to learn: pictures as PNG files, and conversations about them that fill every row of a batch. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "fast-png";
import { Random } from "../../kernels/random.ts";
import type { CollateOptions } from "../../src/train/data/index.ts";
import { tokensOfSample, type TrainSize } from "./sizes.ts";

const PICTURES = 64;
const COLOURS = ["red", "green", "blue", "yellow", "white", "grey", "brown", "orange"];
const THINGS = ["cat", "boat", "house", "tree", "apple", "bird", "car", "flower", "fish", "moon"];

/** Writes the pictures into a folder, twice as large as the model sees them; returns samples in LLaVA's JSON. */
export function writeData(folder: string, { sizes }: TrainSize): unknown[] {
  mkdirSync(folder, { recursive: true });
  const random = new Random(3);
  const pick = (list: readonly string[]): string => list[random.integer(list.length)]!;
  return Array.from({ length: PICTURES }, (_, i) => {
    const image = `${i}.png`;
    writeFileSync(join(folder, image), picture(random, 2 * sizes.vision.imageSize));
    const thing = (): string => `a ${pick(COLOURS)} ${pick(THINGS)}`;
    // Longer than any row of a batch: what is too much is cut off, so that all rows are equally long.
    const answer = `There is ${Array.from({ length: 30 }, thing).join(" and ")}.`;
    return {
      id: `${i}`,
      image,
      conversations: [{ from: "human", value: "<image>\nWhat is this?" }, { from: "gpt", value: answer }],
    };
  });
}

/** How the samples become batches: without the long default system text, every row filled to its end. */
export function collateOptions(folder: string, size: TrainSize): CollateOptions {
  return { template: "v1", system: "", imageFolder: folder, maxLength: tokensOfSample(size) };
}

/** A PNG file of a few rectangles on a gradient, with some noise, as photographs have. */
function picture(random: Random, size: number): Uint8Array {
  const data = new Uint8Array(3 * size * size);
  const boxes = Array.from({ length: 4 }, () => ({
    x: random.integer(size),
    y: random.integer(size),
    half: 4 + random.integer(size / 3),
    colour: [random.integer(256), random.integer(256), random.integer(256)],
  }));
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const box = boxes.find((one) => Math.max(Math.abs(x - one.x), Math.abs(y - one.y)) < one.half);
      const colour = box?.colour ?? [(200 * x) / size, (200 * y) / size, 120];
      for (let c = 0; c < 3; c++) data[3 * (y * size + x) + c] = Math.min(255, colour[c]! + random.integer(8));
    }
  }
  return encode({ width: size, height: size, channels: 3, data });
}
