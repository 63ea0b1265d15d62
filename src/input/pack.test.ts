import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unpad } from "./anyres.ts";
import type { Size } from "./anyres.ts";
import { averagedVideoTable, countImageTokens, identityTable, packTable, pooledVideoTable } from "./pack.ts";
import type { RowTable } from "./pack.ts";

/** Features are single numbers here: the table treats every channel alike. */
const newline = -7;
const features = (count: number) => Float64Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898) * 10);

function apply({ rows, taps, index, weight }: RowTable, source: Float64Array): number[] {
  return Array.from({ length: rows }, (_, row) => {
    let sum = 0;
    for (let t = row * taps; t < (row + 1) * taps; t++) {
      expect(index[t]).toBeLessThanOrEqual(source.length);
      sum += weight[t] * (index[t] === 0 ? newline : source[index[t] - 1]);
    }
    return sum;
  });
}

/** align_corners=False, in double. */
function bilinear(map: number[][], [height, width]: Size): number[][] {
  const at = (length: number, size: number, out: number) => Math.max(0, ((out + 0.5) * length) / size - 0.5);
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (__, x) => {
      const [v, u] = [at(map.length, height, y), at(map[0].length, width, x)];
      const [y0, x0] = [Math.floor(v), Math.floor(u)];
      const [y1, x1] = [Math.min(y0 + 1, map.length - 1), Math.min(x0 + 1, map[0].length - 1)];
      const top = map[y0][x0] * (1 - (u - x0)) + map[y0][x1] * (u - x0);
      const bottom = map[y1][x0] * (1 - (u - x0)) + map[y1][x1] * (u - x0);
      return top * (1 - (v - y0)) + bottom * (v - y0);
    }),
  );
}

/** The packing by plain loops: put the tiles together, cut the padding off, scale, add the newline column. */
function packed(source: Float64Array, side: number, grid: Size, originalSize?: Size, maxTiles?: number): number[] {
  let map = Array.from({ length: grid[0] * side }, (_, y) =>
    Array.from({ length: grid[1] * side }, (__, x) => {
      const tile = 1 + Math.floor(y / side) * grid[1] + Math.floor(x / side);
      return source[tile * side * side + (y % side) * side + (x % side)];
    }),
  );
  if (originalSize) {
    const { top, left, height, width } = unpad([map.length, map[0].length], originalSize);
    map = map.slice(top, top + height).map((row) => row.slice(left, left + width));
  }
  const ratio = maxTiles ? Math.sqrt((map.length * map[0].length) / (maxTiles * side * side)) : 1;
  if (ratio > 1.1) map = bilinear(map, [Math.floor(map.length / ratio), Math.floor(map[0].length / ratio)]);
  return [...source.slice(0, side * side), ...map.flatMap((row) => [...row, newline])];
}

function expectClose(got: number[], want: number[], tolerance: number): void {
  expect(got.length).toBe(want.length);
  const worst = Math.max(0, ...got.map((value, i) => Math.abs(value - want[i])));
  expect(worst).toBeLessThanOrEqual(tolerance);
}

describe("packTable", () => {
  const tiles = fc.integer({ min: 1, max: 4 });
  const pixels = fc.integer({ min: 1, max: 900 });

  it("equals the plain loops, with and without down-scaling", () => {
    const side = fc.integer({ min: 1, max: 7 });
    const limit = fc.constantFrom(undefined, 1, 4, 9);
    const property = fc.property(side, tiles, tiles, pixels, pixels, limit, (g, a, b, h, w, maxTiles) => {
      const grid: Size = [a, b];
      const options = { side: g, grid, originalSize: [h, w] as Size, newline: true, maxTiles };
      const kept = unpad([a * g, b * g], [h, w]);
      fc.pre(kept.height > 0 && kept.width > 0);
      const source = features((a * b + 1) * g * g);
      const table = packTable(options);
      const want = packed(source, g, grid, [h, w], maxTiles);
      expect(table.rows).toBe(want.length);
      expect(countImageTokens(options)).toBe(want.length);
      // Values up to 10; the weights are single precision, and positions up to 28.
      expectClose(apply(table, source), want, table.taps === 1 ? 0 : 2e-4);
    });
    fc.assert(property, { numRuns: 300, seed: 4 });
  });

  it("keeps the padding without a size, and never points at a newline that does not exist", () => {
    const table = packTable({ side: 2, grid: [1, 2], newline: false });
    expect(Array.from(table.index)).toEqual([1, 2, 3, 4, 5, 6, 9, 10, 7, 8, 11, 12]);
  });

  it("gives a lone base tile one newline at the end", () => {
    expect(Array.from(packTable({ side: 2, newline: true }).index)).toEqual([1, 2, 3, 4, 0]);
    expect(Array.from(packTable({ side: 2, newline: false }).index)).toEqual([1, 2, 3, 4]);
  });

  it("is the identity for plain LLaVA", () => {
    expect(apply(identityTable(5), features(5))).toEqual(Array.from(features(5)));
  });
});

describe("video tables", () => {
  const frameMap = (source: Float64Array, frame: number, side: number) =>
    Array.from({ length: side }, (_, y) => {
      const start = (frame * side + y) * side;
      return Array.from(source.slice(start, start + side));
    });

  it.each([
    [27, 14],
    [5, 3],
    [6, 3],
    [1, 1],
  ])("pools frames of side %i bilinearly to %i", (side, pooled) => {
    const source = features(2 * side * side);
    const frames = [0, 1].map((frame) => bilinear(frameMap(source, frame, side), [pooled, pooled]));
    const rows = {
      one_token: [...frames.flat(2), newline],
      frame: frames.flatMap((map) => [...map.flat(), newline]),
      grid: frames.flatMap((map) => map.flatMap((row) => [...row, newline])),
      no_token: frames.flat(2),
    };
    for (const kind of ["one_token", "frame", "grid", "no_token"] as const) {
      expectClose(apply(pooledVideoTable(2, side, kind), source), rows[kind], 2e-4);
    }
  });

  it("pools 27 to 14 with the known pairs", () => {
    const { index, weight } = pooledVideoTable(1, 27, "no_token");
    expect([index[0], index[1], index[4], index[5]]).toEqual([1, 2, 3, 4]);
    expect(weight[1] / (weight[0] + weight[1])).toBeCloseTo(0.4643, 4);
    expect(weight[5] / (weight[4] + weight[5])).toBeCloseTo(0.3929, 4);
  });

  it("averages blocks of 2 x 2", () => {
    const source = features(2 * 25);
    const want = [0, 1].flatMap((frame) => {
      const map = frameMap(source, frame, 5);
      const block = (y: number, x: number) => (map[y][x] + map[y][x + 1] + map[y + 1][x] + map[y + 1][x + 1]) / 4;
      return [block(0, 0), block(0, 2), block(2, 0), block(2, 2)];
    });
    expectClose(apply(averagedVideoTable(2, 5), source), want, 1e-12);
    expect(averagedVideoTable(3, 24).rows).toBe(3 * 144);
  });
});
