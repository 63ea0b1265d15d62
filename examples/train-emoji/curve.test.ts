import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { drawLog } from "./curve.ts";

it("draws parts one after another, and a repeated step once", () => {
  const folder = mkdtempSync(join(tmpdir(), "llava-curve-"));
  const [log, picture] = [join(folder, "log.jsonl"), join(folder, "curve.svg")];
  const lines = [
    { part: "tower", step: 50, loss: 9, losses: { concept: 4 } },
    { part: "tower", step: 100, loss: 8, losses: { concept: 3 } },
    { part: "tower", step: 100, loss: 8, losses: { concept: 2 } },
    { part: "stage-2", step: 50, loss: 1 },
  ];
  writeFileSync(log, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  drawLog(log, picture);
  const svg = readFileSync(picture, "utf8");
  rmSync(folder, { recursive: true });
  const thin = [...svg.matchAll(/<polyline points="([^"]+)" stroke="#9ecae1"/g)].map((match) => match[1]!);
  expect(thin).toHaveLength(2); // a line for each part
  const points = thin.join(" ").split(" ").map((point) => point.split(",").map(Number));
  expect(points).toHaveLength(3);
  // Steps 50, 100 and 150; losses 4, 2 and 1.
  const [first, second, third] = points as [number, number][];
  expect(second![0]! - first![0]!).toBeCloseTo(third![0]! - second![0]!, 0);
  expect((second![1]! - first![1]!) / (third![1]! - second![1]!)).toBeCloseTo(2, 1);
  expect(svg).toMatch(/>tower<[\s\S]*>stage-2</);
});
