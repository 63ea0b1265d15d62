/** The example of `npm run train:tiny`, cut short: it runs, and its drawings are the same everywhere. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode } from "fast-png";
import { afterAll, describe, expect, it } from "vitest";
import { draw } from "../../examples/train-tiny/pictures.ts";
import { trainTiny } from "../../examples/train-tiny/train.ts";
import { testAdapters } from "../harness/adapters.ts";

const output = mkdtempSync(join(tmpdir(), "llava-tiny-"));
afterAll(() => rmSync(output, { recursive: true }));
const [found] = await testAdapters();

describe("train:tiny", () => {
  it("draws shapes by their numbers", () => {
    const [one, again] = [draw(3), draw(3)];
    expect(again).toEqual(one);
    const { width, height, data } = decode(one.png);
    expect([width, height]).toEqual([32, 32]);
    // Ink in the middle, ground in the corner.
    expect(data[0]).toBeGreaterThan(214);
    const pixel = (x: number, y: number) => data.slice(3 * (y * 32 + x), 3 * (y * 32 + x + 1));
    expect(pixel(16, 16)).not.toEqual(pixel(0, 0));
    const drawn = Array.from({ length: 200 }, (_, i) => draw(i));
    expect(new Set(drawn.map(({ shape, colour }) => `${colour} ${shape}`)).size).toBe(20);
  });

  it(`trains both stages and asks before and after, on ${found!.name}`, async () => {
    const result = await trainTiny({ output, adapter: found!.name, steps: [1, 2], drawn: [16, 2] });
    expect(result).toMatchObject({ before: 0, after: expect.any(Number) });
    expect(existsSync(join(result.model, "model.safetensors"))).toBe(true);
    expect(readFileSync(result.curve, "utf8")).toContain("stage 2: questions, everything");
  });
});
