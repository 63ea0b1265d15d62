import { describe, expect, it } from "vitest";
import { activate, activationKinds } from "../activation/activation.reference.ts";
import { activationSlope } from "./activation-backward.reference.ts";

describe("activation derivatives", () => {
  it("are the central differences of the functions", () => {
    const step = 1e-4;
    for (const kind of Object.values(activationKinds)) {
      for (let x = -8; x <= 8; x += 0.25) {
        const difference = (activate(kind, x + step) - activate(kind, x - step)) / (2 * step);
        expect(Math.abs(activationSlope(kind, x) - difference)).toBeLessThan(1e-7);
      }
    }
  });

  it("are 1/2 at 0, vanish far to the left and are 1 far to the right", () => {
    for (const kind of Object.values(activationKinds)) {
      expect(activationSlope(kind, 0)).toBeCloseTo(0.5, 15);
      expect(activationSlope(kind, -1e30)).toBeCloseTo(0, 15);
      expect(activationSlope(kind, 1e30)).toBe(1);
    }
  });
});
