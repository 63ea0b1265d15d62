import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readJson } from "../../test/golden/pixels/read.ts";
import { downscaledSize, fitInside, gridShape, selectBestResolution, unpad } from "./anyres.ts";
import type { Size } from "./anyres.ts";
import { countImageTokens } from "./pack.ts";

interface Goldens {
  pinpoints: Record<string, [number, number][]>;
  rows: {
    height: number;
    width: number;
    best_resolution: Record<string, [number, number]>;
    best_resolution_width_height_order: Record<string, [number, number]>;
    tokens: Record<string, number> | null;
  }[];
}
const { pinpoints, rows } = readJson<Goldens>("anyres.json");

describe("AnyRes against transformers", () => {
  it.each(rows)("$height x $width", ({ height, width, ...golden }) => {
    const size: Size = [height, width];
    for (const [name, list] of Object.entries(pinpoints)) {
      expect(selectBestResolution(size, list)).toEqual(golden.best_resolution[name]);
      const turned = list.map(([a, b]): Size => [b, a]);
      expect(selectBestResolution(size, turned)).toEqual(golden.best_resolution_width_height_order[name]);
    }
    const tokens = (list: string, tile: number, side: number, maxTiles?: number) => {
      const grid = gridShape(selectBestResolution(size, pinpoints[list]), [tile, tile]);
      return countImageTokens({ side, grid, originalSize: size, newline: true, maxTiles });
    };
    if (golden.tokens) {
      expect({
        "next-336": tokens("next-336", 336, 24),
        "onevision-384-max9": tokens("onevision-384", 384, 27, 9),
        "onevision-384-max4": tokens("onevision-384", 384, 27, 4),
      }).toEqual(golden.tokens);
    }
  });

  it.each([
    [1024, 899, 42, 48, 2634],
    [640, 427, 32, 48, 2144],
    [427, 640, 48, 32, 2160],
    [1000, 200, 14, 72, 1598],
    [1920, 1080, 28, 48, 1948],
  ])("LLaVA-1.6, %i wide and %i high: %i x %i, %i tokens", (width, height, rowsKept, columnsKept, tokens) => {
    const grid = gridShape(selectBestResolution([height, width], pinpoints["next-336"]), [336, 336]);
    const kept = unpad([grid[0] * 24, grid[1] * 24], [height, width]);
    expect([kept.height, kept.width]).toEqual([rowsKept, columnsKept]);
    expect(countImageTokens({ side: 24, grid, originalSize: [height, width], newline: true })).toBe(tokens);
  });
});

describe("fitInside, unpad and downscaledSize", () => {
  const side = fc.integer({ min: 1, max: 3000 });
  it("fits, touches a side, and unpads within the map", () => {
    const tiles = fc.integer({ min: 1, max: 6 });
    const property = fc.property(side, side, tiles, tiles, (h, w, a, b) => {
      const [height, width] = fitInside([h, w], [a * 24, b * 24]);
      expect(height <= a * 24 && width <= b * 24 && height >= 1 && width >= 1).toBe(true);
      expect(height === a * 24 || width === b * 24).toBe(true);
      const kept = unpad([a * 6, b * 6], [h, w]);
      expect(kept.top + kept.height <= a * 6 && kept.left + kept.width <= b * 6).toBe(true);
      expect(kept.top === 0 || kept.left === 0).toBe(true);
    });
    fc.assert(property, { numRuns: 500, seed: 3 });
  });

  it("scales down only beyond the ratio of 1.1", () => {
    expect(downscaledSize([60, 108], 27, 9)).toEqual([60, 108]);
    expect(downscaledSize([75, 135], 27, 9)).toEqual([60, 108]);
    expect(downscaledSize([21, 30], 5, 9)).toEqual([12, 17]);
  });
});
