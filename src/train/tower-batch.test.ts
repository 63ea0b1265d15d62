import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../models/config.ts";
import { IGNORED } from "../ops/index.ts";
import { BatchError } from "./training-batch.ts";
import { layOutPictures, layOutTower, type TowerBatch, type TowerSizes, type TowerTarget } from "./tower-batch.ts";

const { vision } = parseConfig({
  model_type: "llava",
  image_token_index: 9,
  text_config: { model_type: "llama", vocab_size: 16, hidden_size: 8, intermediate_size: 8, num_hidden_layers: 1, num_attention_heads: 2 },
  vision_config: { model_type: "clip_vision_model", hidden_size: 8, intermediate_size: 8, num_hidden_layers: 2, num_attention_heads: 2, image_size: 6, patch_size: 2 },
});
const sizes: TowerSizes = { vision: vision!, patches: 9, heads: { kind: 5, count: 3 } };
const pixels = (pictures: number) => ({ shape: [pictures, 3, 6, 6], data: new Float32Array(pictures * 108) });
const target: TowerTarget = { head: "kind", picture: 0, label: 1, weight: 1 };

/** What a table makes of unit rows: a dense matrix [rows, features]. */
function dense(index: ArrayLike<number>, weight: ArrayLike<number>, taps: number, features: number): number[][] {
  return Array.from({ length: index.length / taps }, (_, row) => {
    const line = Array.from({ length: features }, () => 0);
    for (let t = 0; t < taps; t++) line[index[row * taps + t]!]! += weight[row * taps + t]!;
    return line;
  });
}

describe("the tables of labelled pictures", () => {
  it("pool the chosen patches of every target, and spread gradients to just these", () => {
    const targets = fc.array(
      fc.record({
        head: fc.constantFrom("kind", "count"),
        picture: fc.integer({ min: 0, max: 2 }),
        label: fc.integer({ min: 0, max: 2 }),
        weight: fc.double({ min: 0, max: 2, noNaN: true }),
        patches: fc.option(fc.uniqueArray(fc.integer({ min: 0, max: 8 }), { minLength: 1 }), { nil: undefined }),
      }),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(targets, (made) => {
        const list = made.map(({ patches, ...rest }) => ({ ...rest, ...(patches ? { patches } : {}) }));
        const { shape, values } = layOutTower({ pixels: pixels(3), targets: list }, sizes);
        const pool = dense(values.poolIndex!, values.poolWeight!, shape.taps, 27);
        const spread = dense(values.spreadIndex!, values.spreadWeight!, shape.uses, shape.heads.length * shape.rows);
        expect(spread).toEqual(Array.from({ length: 27 }, (_, feature) => pool.map((row) => row[feature]!)));
        const rows = shape.heads.flatMap((head) => {
          const own = list.filter((one) => one.head === head);
          expect(Array.from(values[`labels ${head}`]!)).toEqual(Array.from({ length: shape.rows }, (_, i) => own[i]?.label ?? IGNORED));
          expect(Array.from(values[`weight ${head}`]!)).toEqual(Array.from({ length: shape.rows }, (_, i) => Math.fround(own[i]?.weight ?? 0)));
          return Array.from({ length: shape.rows }, (_, i) => own[i]);
        });
        const wanted = rows.map((one) =>
          Array.from({ length: 27 }, (_, feature) => {
            const patches = one?.patches ?? [0, 1, 2, 3, 4, 5, 6, 7, 8];
            const chosen = one && Math.floor(feature / 9) === one.picture && patches.includes(feature % 9);
            return chosen ? Math.fround(1 / patches.length) : 0;
          }),
        );
        expect(pool).toEqual(wanted);
      }),
      { numRuns: 100, seed: 4 },
    );
  });

  it("have a few sizes only, which hold what they must", () => {
    const shapes = Array.from({ length: 100 }, (_, i) => {
      const targets = Array.from({ length: i + 1 }, (_, k) => ({ ...target, picture: k % 2, label: k % 5 }));
      return layOutTower({ pixels: pixels(2), targets }, sizes).shape;
    });
    shapes.forEach(({ rows, uses, taps }, i) => {
      expect(rows).toBeGreaterThan(i);
      expect(rows).toBeLessThanOrEqual(Math.max(8, 1.5 * (i + 1)));
      expect(uses).toBeGreaterThanOrEqual(Math.ceil((i + 1) / 2));
      expect(taps).toBe(9);
    });
    expect([...new Set(shapes.map(({ rows }) => rows))]).toEqual([8, 12, 16, 24, 32, 48, 64, 96, 128]);
    // A head without targets has no part in a program.
    expect(shapes[0]!.heads).toEqual(["kind"]);
  });

  it("pool whole pictures for scores", () => {
    const { pictures, values } = layOutPictures(pixels(2), sizes);
    expect(pictures).toBe(2);
    const row = (first: number) => Array.from({ length: 18 }, (_, i) => (i >= first && i < first + 9 ? Math.fround(1 / 9) : 0));
    expect(dense(values.poolIndex!, values.poolWeight!, 9, 18)).toEqual([row(0), row(9)]);
  });
});

describe("labelled pictures that cannot be learnt from", () => {
  const wrong: [string, TowerBatch, RegExp][] = [
    ["no target", { pixels: pixels(1), targets: [] }, /^targets: expected at least one, got none/],
    ["unknown head", { pixels: pixels(1), targets: [target, { ...target, head: "size" }] }, /^targets\[1\]\.head: expected one of kind, count, got size/],
    ["name of an object's own", { pixels: pixels(1), targets: [{ ...target, head: "constructor" }] }, /^targets\[0\]\.head: expected one of/],
    ["label too large", { pixels: pixels(1), targets: [{ ...target, label: 5 }] }, /label: expected an integer from 0 to 4, a class of kind, got 5/],
    ["label of an unfinished sum", { pixels: pixels(1), targets: [{ ...target, label: NaN }] }, /label: expected .* got NaN/],
    ["picture beyond the batch", { pixels: pixels(2), targets: [{ ...target, picture: 2 }] }, /picture: expected an integer from 0 to 1, got 2/],
    ["negative weight", { pixels: pixels(1), targets: [{ ...target, weight: -1 }] }, /weight: expected a number of at least 0, got -1/],
    ["infinite weight", { pixels: pixels(1), targets: [{ ...target, weight: Infinity }] }, /weight: expected a number of at least 0, got Infinity/],
    ["patch beyond the picture", { pixels: pixels(1), targets: [{ ...target, patches: [0, 9] }] }, /patches: expected integers from 0 to 8, got 9/],
    ["no patch", { pixels: pixels(1), targets: [{ ...target, patches: [] }] }, /patches: expected at least one patch, got none/],
    ["a patch twice", { pixels: pixels(1), targets: [{ ...target, patches: [1, 1] }] }, /patches: expected every patch once, got 1, 1/],
    ["another picture size", { pixels: { shape: [1, 3, 6, 7], data: new Float32Array(126) }, targets: [target] }, /^pixels: expected shape \[B, 3, 6, 6\], got \[1, 3, 6, 7\]/],
    ["no picture", { pixels: pixels(0), targets: [target] }, /^pixels: expected shape \[B, 3, 6, 6\], got \[0, 3, 6, 6\]/],
    ["too few values", { pixels: { shape: [1, 3, 6, 6], data: new Float32Array(9) }, targets: [target] }, /expected a Float32Array of 108 values for shape \[1, 3, 6, 6\], got 9/],
    ["no pixels at all", { targets: [target] } as unknown as TowerBatch, /^pixels: expected shape .* got undefined/],
  ];
  for (const [name, batch, message] of wrong) {
    it(name, () => {
      expect(() => layOutTower(batch, sizes)).toThrow(BatchError);
      expect(() => layOutTower(batch, sizes)).toThrow(message);
    });
  }
});
