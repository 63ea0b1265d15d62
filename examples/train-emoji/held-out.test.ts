import { describe, expect, it } from "vitest";
import type { Drawing } from "./drawings.ts";
import { evaluatedKinds, type EvaluationItem, HeldOut, nameEverything, placeTogether } from "./held-out.ts";
import { score } from "./scores.ts";
import { testConcepts, testDrawings, testWord } from "./test-concepts.ts";

/** Drawings of one grey a vendor. */
function placed(vendor: string, value: number): Drawing[] {
  return testDrawings.slice(0, testConcepts.length).map((drawing) => {
    return { ...drawing, vendor, natural: new Uint8Array(72 * 72 * 3).fill(value) };
  });
}

const heldOut = { twemoji: placed("twemoji", 100), openmoji: placed("openmoji", 50) };
const evaluation = new HeldOut({ concepts: testConcepts, heldOut, words: [testWord], tile: 48 });

/** Items with a checksum in place of each picture, since comparing pixels one by one takes long. */
function summary(items: readonly EvaluationItem[]): object[] {
  const sum = (data: Uint8Array): number => data.reduce((hash, value) => (Math.imul(hash, 31) + value) | 0, 0);
  return items.map((item) => ({ ...item, images: item.images.map(({ width, height, data }) => [width, height, sum(data)]) }));
}

describe("evaluation sets", () => {
  it.each(evaluatedKinds)("ask questions of kind %s, the same for the same seed", (kind) => {
    const items = evaluation.items("twemoji", kind, 40, 11);
    expect(items).toHaveLength(40);
    expect(summary(items)).toEqual(summary(evaluation.items("twemoji", kind, 40, 11)));
    expect(summary(items)).not.toEqual(summary(evaluation.items("twemoji", kind, 40, 12)));
    for (const item of items) {
      expect(item).toMatchObject({ kind, set: "twemoji" });
      expect(score(item, item.answer)).toBe(1);
      expect(item.cells?.length ?? item.shows.length).toBe(item.shows.length);
      for (const { width, height, data } of item.images) expect(data.length).toBe(width * height * 3);
    }
  });

  it("name every drawing", () => {
    const items = nameEverything({ heldOut }, "openmoji");
    expect(items.map(({ answer }) => answer)).toEqual(testConcepts.map(({ name }) => name));
    expect(new Set(items.map(({ question }) => question))).toEqual(new Set(["What is this?"]));
  });

  it("balance yes and no", () => {
    for (const kind of ["yn_attr", "yn_name", "yn_colour", "same", "same_kind"] as const) {
      const yes = evaluation.items("twemoji", kind, 400, 3).filter(({ answer }) => answer === "Yes").length;
      expect(Math.abs(yes / 400 - 0.5), kind).toBeLessThan(0.1);
    }
  });

  it("compare pictures of two vendors", () => {
    for (const { images } of evaluation.items("twemoji", "same", 10, 1)) expect(images.map(({ data }) => data[0])).toEqual([100, 50]);
  });

  it("place drawings in the middle of their cells", () => {
    const { data, width } = placeTogether(heldOut.twemoji.slice(0, 2), { layout: "3x2", cells: [0, 5] });
    const at = (x: number, y: number): number => data[3 * (y * width + x)];
    expect(width).toBe(144);
    // Cells of 48 x 72 hold squares of 48 x 48.
    expect([at(0, 11), at(0, 12), at(47, 59), at(47, 60), at(48, 30)]).toEqual([255, 100, 100, 255, 255]);
    expect([at(96, 84), at(143, 131), at(95, 100)]).toEqual([100, 100, 255]);
  });
});
