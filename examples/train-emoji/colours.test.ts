import { describe, expect, it } from "vitest";
import { colourIndex, colourNames, colourShares, mainColours } from "./colours.ts";

const nameOf = (red: number, green: number, blue: number): string => colourNames[colourIndex(red / 255, green / 255, blue / 255)];

describe("colours", () => {
  it("names typical colours", () => {
    expect(nameOf(214, 48, 40)).toBe("red");
    expect(nameOf(255, 140, 20)).toBe("orange");
    expect(nameOf(250, 210, 60)).toBe("yellow");
    expect(nameOf(60, 160, 70)).toBe("green");
    expect(nameOf(50, 90, 220)).toBe("blue");
    expect(nameOf(140, 70, 200)).toBe("purple");
    expect(nameOf(255, 120, 190)).toBe("pink");
    expect(nameOf(255, 180, 180)).toBe("pink");
    expect(nameOf(120, 70, 40)).toBe("brown");
    expect(nameOf(235, 200, 160)).toBe("brown");
    expect(nameOf(20, 20, 20)).toBe("black");
    expect(nameOf(128, 128, 128)).toBe("grey");
    expect(nameOf(250, 250, 250)).toBe("white");
  });

  it("gives every colour one name", () => {
    for (let red = 0; red < 256; red += 15) {
      for (let green = 0; green < 256; green += 15) {
        for (let blue = 0; blue < 256; blue += 15) expect(colourNames).toContain(nameOf(red, green, blue));
      }
    }
  });

  it("measures shares of the ink alone", () => {
    const shares = colourShares(Uint8Array.from([214, 48, 40, 255, 214, 48, 40, 200, 250, 250, 250, 255, 0, 0, 0, 128]));
    expect(shares[0]).toBeCloseTo(2 / 3);
    expect(shares[10]).toBeCloseTo(1 / 3);
    expect(colourShares(new Uint8Array(8))).toEqual(Array.from({ length: 11 }, () => 0));
  });

  it("calls up to three colours of 15 % main ones, the largest first", () => {
    expect(mainColours([0.2, 0, 0, 0.5, 0, 0, 0, 0, 0, 0.14, 0.16])).toEqual(["green", "red", "white"]);
    expect(mainColours([0.25, 0.25, 0.25, 0.25, 0, 0, 0, 0, 0, 0, 0])).toEqual(["red", "orange", "yellow"]);
    expect(mainColours([0.1, 0.1, 0.14, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.06, 0])).toEqual(["yellow"]);
  });
});
