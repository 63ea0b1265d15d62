import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WeightError } from "./error.ts";
import { duplicateKey, parseJson } from "./json.ts";

const message = (text: string): string => {
  try {
    parseJson(text, "config.json");
  } catch (error) {
    expect(error).toBeInstanceOf(WeightError);
    return (error as WeightError).message;
  }
  return "";
};

describe("parseJson", () => {
  it.each([
    ["", "the end of the text at line 1, column 1"],
    ['{"a": 1,\n "b" 2}', '"2" at line 2, column 6'],
    ['{"a": [1, 2,]}', '"]" at line 1, column 13'],
    ['{"a": 01}', '"1" at line 1, column 8'],
    ['{"a": "x\ty"}', '"\\t" at line 1, column 9'],
    ['{"a": "\\q"}', '"q" at line 1, column 9'],
    ['{"a": "\\u12g4"}', '"u" at line 1, column 9'],
    ['{"a": "open', "the end of the text at line 1, column 12"],
    ["[1] 2", '"2" at line 1, column 5'],
    ["{1: 2}", '"1" at line 1, column 2'],
    ["[}", '"}" at line 1, column 2'],
    ["\ufeff{}", '"\ufeff" at line 1, column 1'],
    ["nul", '"n" at line 1, column 1'],
  ])("names the position in %j", (text, where) => {
    expect(message(text)).toBe(`config.json is not valid JSON: unexpected ${where}`);
  });

  it("reads what JSON.parse reads, and names a position inside the text otherwise (property)", () => {
    const json = fc.json();
    const mutated = fc
      .tuple(json, fc.nat(), fc.constantFrom("", ",", "}", "]", '"', "\\", "0", "x", ":", "\n"))
      .map(([text, place, piece]) => {
        const at = place % (text.length + 1);
        return text.slice(0, at) + piece + text.slice(at + 1);
      });
    fc.assert(
      fc.property(fc.oneof(json, mutated), (text) => {
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          expect(message(text)).toMatch(/^config.json is not valid JSON: unexpected .+ at line \d+, column \d+$/);
          return;
        }
        expect(parseJson(text, "config.json")).toEqual(expected);
      }),
      { numRuns: 1000, seed: 3 },
    );
  });

  it("survives deep nesting", () => {
    expect(message("[".repeat(200_000))).toMatch(/the end of the text/);
  });
});

describe("duplicateKey", () => {
  it.each([
    ["{}", undefined],
    ['{"a": 1, "b": {"a": 2}, "c": ["a", "a"]}', undefined],
    ['{"a": 1, "b": 2, "a": 3}', "a"],
    ['{"a": [{"k": 1, "k": 2}]}', "k"],
    ['{"\\u0061": 1, "a": 2}', "a"],
    ['{"x\\"": 1, "x\\"": 2}', 'x"'],
  ])("of %s is %s", (text, expected) => {
    expect(duplicateKey(text)).toBe(expected);
  });
});
