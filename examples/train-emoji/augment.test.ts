import { describe, expect, it } from "vitest";
import { Random } from "llava-webgpu/train";
import { Augmenter, cutMix } from "./augment.ts";
import { cellOf, CollagePainter } from "./collage.ts";
import { fill } from "./ground.ts";
import { arrange, layouts } from "./layouts.ts";
import { layOver, makeCanvas, type Picture, toPicture } from "./picture.ts";
import { upright } from "./pose.ts";
import { sampleDrawing } from "./sample.ts";
import { DrawingSampler } from "./sampler.ts";
import { drawOutlines, posterise } from "./style.ts";
import { conceptNamed, testDrawings } from "./test-concepts.ts";

const drawing = testDrawings[0];

describe("pictures of drawings", () => {
  it.each([48, 72])("come again from the same seed, at %i pixels", (size) => {
    const make = (seed: number): Picture => new Augmenter(size).augment(drawing, new Random(seed)).picture;
    expect(make(3)).toEqual(make(3));
    expect(make(3)).not.toEqual(make(4));
    expect(make(3).data).toHaveLength(size * size * 3);
  });

  it("do not depend on pictures made before", () => {
    const augmenter = new Augmenter(48);
    augmenter.augment(testDrawings[1], new Random(1));
    expect(augmenter.augment(drawing, new Random(2))).toEqual(new Augmenter(48).augment(drawing, new Random(2)));
  });

  it("say when their colours are no longer the drawing's", () => {
    const random = new Random(5);
    const augmenter = new Augmenter(24);
    const faithful = (options: object): number =>
      Array.from({ length: 200 }, () => augmenter.augment(drawing, random, options).faithful).filter(Boolean).length;
    expect(faithful({ wild: 0, outline: 0 })).toBe(200);
    expect(faithful({ wild: 1 })).toBe(0);
    expect(faithful({ outline: 1 })).toBe(0);
  });

  it("show the drawing where its pose says", () => {
    const size = 48;
    const layer = new Float32Array(size * size * 4);
    sampleDrawing(drawing, upright, layer, size);
    const at = (x: number, y: number): number[] => {
      const pixel = 4 * (y * size + x);
      return Array.from(layer.subarray(pixel, pixel + 4), (value) => Math.round(255 * value));
    };
    expect(at(24, 24)).toEqual([220, 30, 30, 255]);
    expect(at(0, 0)).toEqual([0, 0, 0, 0]);
    // Twice the coordinates: half the size, in the middle.
    sampleDrawing(drawing, [2, 0, 0, 0, 2, 0], layer, size);
    expect(at(24, 24)).toEqual([220, 30, 30, 255]);
    expect(at(8, 24)).toEqual([0, 0, 0, 0]);
    const ink = layer.reduce((sum, value, i) => sum + (i % 4 === 3 ? value : 0), 0);
    expect(ink / (Math.PI * 11.5 ** 2)).toBeCloseTo(1, 1);
  });

  it("keep values in their range under every style", () => {
    const size = 32;
    const layer = new Float32Array(size * size * 4);
    sampleDrawing(drawing, upright, layer, size);
    posterise(layer, 3);
    drawOutlines(layer, size, { threshold: 0.25, strength: 1, fill: 0.4 });
    expect(Math.min(...layer)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...layer)).toBeLessThanOrEqual(1 + 1e-6);
    const darkest = Array.from({ length: size * size }, (_, i) => layer[4 * i + 3] > 0.99 && layer[4 * i] < 0.01);
    expect(darkest.some(Boolean)).toBe(true);
  });
});

describe("CutMix", () => {
  it("replaces a rectangle and tells the share that is left", () => {
    const plain = (value: number): Picture => ({ width: 20, height: 10, data: new Uint8Array(600).fill(value) });
    const random = new Random(1);
    for (let i = 0; i < 200; i++) {
      const { picture, share, covered } = cutMix(plain(10), plain(200), random);
      const left = picture.data.filter((value) => value === 10).length / 600;
      expect(share).toBeCloseTo(left, 6);
      expect(covered.left + covered.width).toBeLessThanOrEqual(20);
      expect(covered.top + covered.height).toBeLessThanOrEqual(10);
    }
  });
});

describe("pictures of several drawings", () => {
  it("divide the canvas into cells", () => {
    for (const layout of Object.keys(layouts) as (keyof typeof layouts)[]) {
      const { columns, rows } = layouts[layout];
      const cells = Array.from({ length: columns * rows }, (_, cell) => cellOf({ layout }, cell, 96));
      expect(cells.reduce((sum, { width, height }) => sum + width * height, 0)).toBe(96 * 96);
    }
  });

  it("hold one drawing a cell", () => {
    const random = new Random(8);
    const painter = new CollagePainter(96);
    for (let count = 2; count <= 9; count++) {
      const arrangement = arrange(count, random);
      expect(new Set(arrangement.cells).size).toBe(count);
      const { picture, cells } = painter.paint(testDrawings.slice(0, count), arrangement, random);
      expect(picture.data).toHaveLength(96 * 96 * 3);
      expect(cells).toEqual(arrangement.cells.map((cell) => cellOf(arrangement, cell, 96)));
    }
  });
});

describe("canvas", () => {
  it("cuts what hangs over its border, and values out of range", () => {
    const canvas = makeCanvas(4);
    fill(canvas, [1, 1, 1]);
    const layer = new Float32Array(4 * 4 * 4).fill(0);
    for (let i = 0; i < 16; i++) layer.set([2, 0, -1, 1], 4 * i);
    layOver(canvas, layer, { left: 2, top: -2, size: 4 });
    const { data } = toPicture(canvas);
    expect(Array.from(data.subarray(0, 12))).toEqual([255, 255, 255, 255, 255, 255, 255, 0, 0, 255, 0, 0]);
    expect(Array.from(data.subarray(36))).toEqual(Array.from({ length: 12 }, () => 255));
  });
});

describe("sampler", () => {
  it("shows vendors by their weights", () => {
    const random = new Random(2);
    const sampler = new DrawingSampler(testDrawings);
    const shown = Array.from({ length: 9000 }, () => sampler.next(random));
    const noto = shown.filter(({ vendor }) => vendor === "noto").length / shown.length;
    expect(Math.abs(noto - 1.1 / 1.8)).toBeLessThan(0.02);
    expect(shown).toContain(testDrawings.find(({ concept }) => concept === conceptNamed("cook")));
  });
});
