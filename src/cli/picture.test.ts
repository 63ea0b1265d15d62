import { describe, expect, it } from "vitest";
import { blankImage } from "../input/image.ts";
import { colourDepth, drawPicture } from "./picture.ts";

const ESC = "\u001B";

describe("drawPicture", () => {
  it("shows two pixels in every cell, the upper one as the block's colour", () => {
    const image = { width: 2, height: 2, data: Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7) };
    const cells = [`${ESC}[38;2;255;0;0;48;2;0;0;255m▀`, `${ESC}[38;2;0;255;0;48;2;9;8;7m▀`];
    expect(drawPicture(image, 40, 20, 24)).toBe(`${cells.join("")}${ESC}[0m\n`);
  });

  it("leaves the background alone below an odd last row, and uses the colour cube of 256-colour terminals", () => {
    const image = { width: 1, height: 1, data: Uint8Array.of(255, 128, 0) };
    expect(drawPicture(image, 40, 20, 8)).toBe(`${ESC}[38;5;${16 + 36 * 5 + 6 * 3};49m▀${ESC}[0m\n`);
  });

  it.each([
    [300, 200, 30, 10],
    [200, 300, 13, 10],
    [20_000, 1, 30, 1],
    [1, 20_000, 1, 10],
    [3, 3, 3, 2],
  ])("fits %i x %i pixels into %i x %i cells", (width, height, columns, rows) => {
    const lines = drawPicture(blankImage(width, height, [1, 2, 3]), 30, 10, 24).split("\n").slice(0, -1);
    expect(lines).toHaveLength(rows);
    expect(lines.map((line) => line.split("▀").length - 1)).toEqual(Array.from(lines, () => columns));
  });
});

describe("colourDepth", () => {
  it("is undefined where there is no terminal or it has no colours", () => {
    expect(colourDepth({ write: () => true } as never)).toBeUndefined();
    expect([1, 4, 8, 24].map((depth) => colourDepth({ getColorDepth: () => depth } as never))).toEqual([undefined, undefined, 8, 24]);
  });
});
