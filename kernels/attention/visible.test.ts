import { describe, expect, it } from "vitest";
import { visibleKeys, visiblePairs } from "./visible.ts";

describe("visibleKeys", () => {
  it("agrees with the definition, key by key", () => {
    for (const causal of [0, 1]) {
      for (const position of [0, 3, 6]) {
        for (const window of [0, 1, 2, 5, 20]) {
          for (const query of [0, 1, 3]) {
            const keys = 9;
            const { first, last } = visibleKeys(query, { keys, position, causal, window });
            const want = Array.from({ length: keys }, (_, j) => j).filter(
              (j) => causal === 0 || (j <= position + query && (window === 0 || j > position + query - window)),
            );
            expect(Array.from({ length: last - first }, (_, n) => first + n)).toEqual(want);
          }
        }
      }
    }
  });
});

describe("visiblePairs", () => {
  it.each([
    { causal: 0, position: 0, window: 0 },
    { causal: 1, position: 0, window: 0 },
    { causal: 1, position: 4, window: 0 },
    { causal: 1, position: 6, window: 3 },
  ])("counts what all queries of all heads see: $causal, $position, $window", (mask) => {
    const [batch, heads, queries, keys] = [2, 3, 5, 11];
    const perHead = Array.from({ length: queries }, (_, i) => visibleKeys(i, { keys, ...mask })).reduce(
      (sum, { first, last }) => sum + last - first,
      0,
    );
    expect(visiblePairs({ batch, heads, queries, keys, ...mask })).toBe(batch * heads * perHead);
  });
});
