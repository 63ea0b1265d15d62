import { describe, expect, it } from "vitest";
import { halfBits } from "./cast.reference.ts";

/** The number that half-precision bits stand for. */
function halfValue(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const magnitude = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

describe("halfBits", () => {
  it("gives back every finite half-precision number", () => {
    for (let bits = 0; bits < 0x7c00; bits++) {
      expect(halfBits(halfValue(bits))).toBe(bits);
      expect(halfBits(halfValue(bits | 0x8000))).toBe(bits | 0x8000);
    }
  });

  it("rounds to nearest, and the middle of two neighbours to the even one", () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [below, above] = [halfValue(bits), halfValue(bits + 1)];
      expect(halfBits((below + above) / 2)).toBe(bits + (bits % 2));
      expect(halfBits(below * 0.51 + above * 0.49)).toBe(bits);
      expect(halfBits(below * 0.49 + above * 0.51)).toBe(bits + 1);
    }
  });

  it("overflows to infinity at 65,520 and keeps NaN", () => {
    expect(halfBits(65519.99)).toBe(0x7bff);
    expect(halfBits(65520)).toBe(0x7c00);
    expect(halfBits(-Infinity)).toBe(0xfc00);
    expect(halfBits(NaN)).toBe(0x7e00);
    expect(halfBits(-0)).toBe(0x8000);
  });
});
