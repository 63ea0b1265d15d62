import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { glob } from "./glob.ts";

describe("glob", () => {
  const cases: [pattern: string, path: string, matches: boolean][] = [
    ["language.layers.*", "language.layers.3", true],
    ["language.layers.*", "language.layers.3.attention.probabilities", false],
    ["language.layers.*", "vision.layers.3", false],
    ["**", "logits", true],
    ["**", "language.layers.3.attention.probabilities", true],
    ["language.**", "language.norm", true],
    ["language.**", "language", false],
    ["**.probabilities", "vision.layers.0.attention.probabilities", true],
    ["**.probabilities", "probabilities", false],
    ["*.layers.1*", "vision.layers.10", true],
    ["*.layers.1*", "vision.layers.2", false],
    ["logits", "logits", true],
    ["logits", "logits2", false],
    ["a.b", "aXb", false],
    ["l(o|g)+", "logits", false],
    ["", "", true],
    ["", "logits", false],
  ];
  for (const [pattern, path, matches] of cases) {
    it(`${pattern} ${matches ? "matches" : "does not match"} ${path}`, () => expect(glob(pattern)(path)).toBe(matches));
  }

  const segment = fc.string({ unit: fc.constantFrom("a", "7", "+", "(", "[", "$", "\\", "?", "|"), minLength: 1, maxLength: 4 });
  it("matches every path by itself, by a star per segment and by two stars", () => {
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 5 }), (segments) => {
        const path = segments.join(".");
        expect(glob(path)(path)).toBe(true);
        expect(glob(segments.map(() => "*").join("."))(path)).toBe(true);
        expect(glob("**")(path)).toBe(true);
        expect(glob(`${path}.*`)(path)).toBe(false);
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it("answers patterns with many stars without going through all ways to match", () => {
    expect(glob(`${"*a".repeat(12)}b`)("a".repeat(40))).toBe(false);
    expect(glob(`${"**.".repeat(8)}x`)("a.".repeat(30))).toBe(false);
  });
});
