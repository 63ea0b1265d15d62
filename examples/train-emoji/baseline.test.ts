import { describe, expect, it } from "vitest";
import { features, nearestNeighbour } from "./baseline.ts";
import { HOG_LENGTH, orientedGradients, overWhite, shrink, squares } from "./hog.ts";
import type { Picture } from "./picture.ts";
import { testDrawings } from "./test-concepts.ts";

/** 48 px of stripes, black and white. */
function stripes(white: (x: number, y: number) => boolean): Picture {
  const data = Uint8Array.from({ length: 48 * 48 * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return white(pixel % 48, Math.floor(pixel / 48)) ? 255 : 0;
  });
  return { width: 48, height: 48, data };
}

describe("nearest neighbour", () => {
  it("measures the orientations of edges, as a vector of length 1", () => {
    const upright = orientedGradients(stripes((x) => x % 12 < 6));
    const lying = orientedGradients(stripes((_, y) => y % 12 < 6));
    for (const histograms of [upright, lying]) {
      expect(histograms).toHaveLength(HOG_LENGTH);
      expect(squares(histograms)).toBeCloseTo(1, 4);
    }
    // Bin 0: gradients across; bins 4 and 5 share those straight down.
    const bins = (histograms: Float32Array): number[] =>
      Array.from({ length: 9 }, (_, bin) => histograms.reduce((sum, value, i) => sum + (i % 9 === bin ? value : 0), 0));
    expect(bins(upright).map((value) => value > 1)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8].map((bin) => bin === 0));
    expect(bins(lying).map((value) => value > 1)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8].map((bin) => bin === 4 || bin === 5));
  });

  it("lays drawings over white", () => {
    const { data } = shrink(overWhite(testDrawings[0]));
    expect(Array.from(data.subarray(0, 3))).toEqual([255, 255, 255]);
    expect(Array.from(data.subarray(3 * (24 * 48 + 24), 3 * (24 * 48 + 24) + 3))).toEqual([220, 30, 30]);
  });

  it("finds what looks alike", () => {
    const noto = testDrawings.filter(({ vendor }) => vendor === "noto").slice(0, 4);
    const fluent = testDrawings.filter(({ vendor }) => vendor !== "noto").slice(0, 4);
    for (const { name, subgroup, group } of nearestNeighbour(features(noto), features(fluent), [1])) {
      expect([name, subgroup, group]).toEqual([1, 1, 1]);
    }
  });
});
