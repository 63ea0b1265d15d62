import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { RopeConfig } from "./config-text.ts";
import { inverseFrequencies, rotaryTable } from "./rope.ts";

interface Golden {
  head: number;
  theta: number;
  maximum?: number;
  scaling?: {
    rope_type: RopeConfig["kind"];
    factor: number;
    low_freq_factor?: number;
    high_freq_factor?: number;
    original_max_position_embeddings?: number;
  };
  positions: number[];
  inv_freq: number[];
  cos?: number[];
  sin?: number[];
}

const file = new URL("../../test/golden/rope/rope.json", import.meta.url);
const goldens = Object.entries(JSON.parse(readFileSync(file, "utf8")) as Record<string, Golden>);

/** The oracle asked for positions up to 4095 at once. */
const length = 4096;

function ropeOf({ theta, scaling, maximum = 4096 }: Golden): RopeConfig {
  return {
    theta,
    kind: scaling?.rope_type ?? "default",
    factor: scaling?.factor ?? 1,
    lowFrequencyFactor: scaling?.low_freq_factor ?? 1,
    highFrequencyFactor: scaling?.high_freq_factor ?? 1,
    originalMaxPositions: scaling?.original_max_position_embeddings ?? maximum,
  };
}

describe("inverseFrequencies", () => {
  it.each(goldens)("gives transformers' frequencies to the last bit or next to it: %s", (_, golden) => {
    const frequencies = inverseFrequencies(ropeOf(golden), golden.head, length);
    expect(frequencies.length).toBe(golden.head / 2);
    const relative = golden.inv_freq.map((expected, j) => Math.abs(frequencies[j] / Math.fround(expected) - 1));
    expect(Math.max(...relative)).toBeLessThanOrEqual(2 ** -23);
  });

  it("leaves dynamic scaling off up to the positions trained", () => {
    const rope = { ...ropeOf(goldens[0][1]), kind: "dynamic", factor: 4, originalMaxPositions: 512 } as const;
    const plain = inverseFrequencies({ ...rope, kind: "default" }, 64);
    expect(inverseFrequencies(rope, 64)).toEqual(plain);
    expect(inverseFrequencies(rope, 64, 512)).toEqual(plain);
    expect(inverseFrequencies(rope, 64, 513)[31]).toBeLessThan(plain[31]);
  });
});

describe("rotaryTable", () => {
  const tables = goldens.filter(([, golden]) => golden.cos !== undefined);
  it.each(tables)("gives transformers' cosines and sines: %s", (_, golden) => {
    const { head, positions, cos = [], sin = [] } = golden;
    const table = rotaryTable(ropeOf(golden), head, positions);
    const half = head / 2;
    const errors = cos.map((expected, i) => {
      const at = Math.floor(i / half) * head + (i % half);
      return Math.max(Math.abs(expected - table[at]), Math.abs(sin[i] - table[at + half]));
    });
    expect(errors.length).toBe(positions.length * half);
    expect(Math.max(...errors)).toBeLessThan(5e-7);
  });

  it("takes a count for the first positions and a length for dynamic scaling", () => {
    const rope = { ...ropeOf(goldens[0][1]), kind: "dynamic", factor: 2, originalMaxPositions: 4 } as const;
    expect(rotaryTable(rope, 8, 6)).toEqual(rotaryTable(rope, 8, [0, 1, 2, 3, 4, 5]));
    expect(rotaryTable(rope, 8, [5])).toEqual(rotaryTable(rope, 8, 6).slice(40));
    expect(rotaryTable(rope, 8, [5], 9)).not.toEqual(rotaryTable(rope, 8, [5]));
    expect(rotaryTable(rope, 8, 9).slice(40, 48)).toEqual(rotaryTable(rope, 8, [5], 9));
    expect(rotaryTable(rope, 8, 0)).toEqual(new Float32Array(0));
  });
});
