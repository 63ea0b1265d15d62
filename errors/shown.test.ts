import { expect, it } from "vitest";
import { shown } from "./index.ts";

const circle: unknown[] = [];
circle.push(circle);

it.each<[string, unknown]>([
  ["nothing", undefined],
  ["null", null],
  ['"a\\nb"', "a\nb"],
  ['" "', "\u2028"],
  ["[]", []],
  ['{"rank":2}', { rank: 2 }],
  ["NaN", Number.NaN],
  ["-Infinity", -Infinity],
  ["7", 7n],
  ["a function", () => 1],
  ["Uint8Array of 3 bytes", new Uint8Array(3)],
  ["Int16Array of 6 bytes", new Int16Array(3)],
  ["something that is not JSON", circle],
  [`"${"x".repeat(76)}...`, "x".repeat(99)],
])("shows %s", (text, value) => {
  expect(shown(value)).toBe(text);
});
