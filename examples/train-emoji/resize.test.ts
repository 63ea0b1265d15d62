import { describe, expect, it } from "vitest";
import { resizeSquare } from "./resize.ts";

describe("smaller pictures", () => {
  /** A pixel's three values around one number. */
  const picture = (values: readonly number[]) => {
    const size = Math.sqrt(values.length);
    return { width: size, height: size, data: Uint8Array.from(values.flatMap((value) => [value, value + 1, value + 2])) };
  };

  it("are means under the box filter", () => {
    const { width, data } = resizeSquare(picture([0, 10, 20, 30, 2, 12, 22, 32, 100, 100, 200, 200, 100, 100, 200, 200]), 2, "box");
    expect(width).toBe(2);
    expect(Array.from(data)).toEqual([6, 7, 8, 26, 27, 28, 100, 101, 102, 200, 201, 202]);
  });

  it("are Pillow's under the bicubic filter", () => {
    // Image.fromarray(...).resize((2, 2), Image.BICUBIC) of Pillow 13.
    const values = [0, 50, 100, 200, 10, 60, 90, 210, 30, 80, 120, 220, 250, 240, 130, 5];
    expect(Array.from(resizeSquare(picture(values), 2, "bicubic").data)).toEqual([26, 27, 28, 149, 150, 151, 139, 140, 141, 124, 125, 126]);
  });
});
