import { describe, expect, it } from "vitest";
import { activate, activationKinds, erf } from "./activation.reference.ts";

describe("activation reference", () => {
  it("erf agrees with tabulated values and is odd", () => {
    const table = [
      [0, 0],
      [0.1, 0.1124629160182849],
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [2, 0.9953222650189527],
      [3, 0.9999779095030014],
      [5.5, 0.9999999999999927],
      [1e4, 1],
    ] as const;
    for (const [x, value] of table) {
      expect(Math.abs(erf(x) - value)).toBeLessThan(4e-16);
      expect(erf(-x) + erf(x)).toBe(0);
    }
  });

  it("all four are finite, vanish far to the left and are the identity far to the right", () => {
    for (const kind of Object.values(activationKinds)) {
      expect(activate(kind, 0)).toBeCloseTo(0, 15);
      expect(activate(kind, -1e4)).toBeCloseTo(0, 15);
      expect(activate(kind, 1e4)).toBe(1e4);
    }
  });

  it("GELU at 1 is Φ(1), and its tanh form is close to it", () => {
    expect(activate(activationKinds.gelu, 1)).toBeCloseTo(0.8413447460685429, 15);
    expect(activate(activationKinds.geluTanh, 1)).toBeCloseTo(0.8411919906082768, 15);
    expect(activate(activationKinds.quickGelu, 1)).toBeCloseTo(1 / (1 + Math.exp(-1.702)), 15);
  });
});
