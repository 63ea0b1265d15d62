import { describe, expect, it } from "vitest";
import { dropoutReference } from "./dropout.reference.ts";

describe("dropout", () => {
  const size = 100_000;
  const x = new Float32Array(size).fill(1);
  const keptBy = (rate: number, seed: number) => dropoutReference({ x }, { size, rate, seed }).y;

  it("drops the wanted share and keeps the mean, within five standard deviations", () => {
    for (const rate of [0.05, 0.1, 0.5, 0.9]) {
      const y = keptBy(rate, 3);
      const kept = y.filter((value) => value !== 0).length / size;
      expect(Math.abs(kept - (1 - rate))).toBeLessThan(5 * Math.sqrt((rate * (1 - rate)) / size));
      expect(y.find((value) => value !== 0)).toBeCloseTo(1 / (1 - rate), 5);
    }
  });

  it("with neighbouring seeds drops independently", () => {
    const [a, b] = [keptBy(0.5, 10), keptBy(0.5, 11)];
    const agree = a.filter((value, i) => value === b[i]).length / size;
    expect(Math.abs(agree - 0.5)).toBeLessThan(5 * Math.sqrt(0.25 / size));
  });
});
