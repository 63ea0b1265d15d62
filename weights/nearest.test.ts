import { describe, expect, it } from "vitest";
import { didYouMean, nearest } from "./nearest.ts";

describe("nearest", () => {
  it.each([
    ["conifg.json", "config.json"],
    ["vision.layers.0.norm1.wieght", "vision.layers.0.norm1.weight"],
    ["config.json", "config.json"],
    ["something else", undefined],
  ])("%s -> %s", (name, expected) => {
    expect(nearest(name, ["generation_config.json", "config.json", "vision.layers.0.norm1.weight"])).toBe(expected);
  });

  it("takes the closest, and the first of equals", () => {
    expect(nearest("cat", ["cars", "bat", "can"])).toBe("bat");
    expect(nearest("x", [])).toBeUndefined();
  });

  it("makes a sentence", () => {
    expect(didYouMean("ct", ["cat"])).toBe(' Did you mean "cat"?');
    expect(didYouMean("dog house", ["cat"])).toBe("");
  });
});
