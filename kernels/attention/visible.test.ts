import { describe, expect, it } from "vitest";
import { visibleKeys } from "./visible.ts";

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
