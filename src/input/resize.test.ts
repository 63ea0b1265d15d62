import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readJson, readPicture, readTensors } from "../../test/golden/pixels/read.ts";
import { decodeImage } from "./decode.ts";
import { blankImage, cropImage } from "./image.ts";
import type { Image } from "./image.ts";
import { crc32 } from "./png.ts";
import { resize } from "./resize.ts";
import type { Filter } from "./resize.ts";

interface Goldens {
  pairs: { pair: number; from_width_height: [number, number]; to_width_height: [number, number] }[];
  checksums: { picture: string; to_width_height: [number, number]; filter: Filter; crc32: number }[];
}
const { pairs, checksums } = readJson<Goldens>("resize.json");
const tensors = readTensors("resize.safetensors");
const filters: Filter[] = ["bicubic", "bilinear", "lanczos", "nearest"];
const anyFilter = fc.constantFrom<Filter>(...filters, "box", "hamming");

const threefold = (grey: Uint8Array) => Uint8Array.from({ length: grey.length * 3 }, (_, i) => grey[Math.floor(i / 3)]);

describe("resize against PIL", () => {
  const cases = pairs.flatMap((pair) => filters.map((filter) => ({ ...pair, filter })));
  it.each(cases)("pair $pair: $from_width_height to $to_width_height, $filter", (golden) => {
    const [width, height] = golden.from_width_height;
    for (const mode of ["L", "RGB"]) {
      const read = (name: string) => {
        const { data } = tensors.get(`${golden.pair}.${mode}.${name}`) as { data: Uint8Array };
        return mode === "L" ? threefold(data) : data;
      };
      const result = resize({ width, height, data: read("source") }, ...golden.to_width_height, golden.filter);
      expect(result.data).toEqual(read(golden.filter));
    }
  });

  it.each(checksums)("$picture to $to_width_height, $filter", async (golden) => {
    const image = await decodeImage(readPicture(golden.picture));
    expect(crc32(resize(image, ...golden.to_width_height, golden.filter).data)).toBe(golden.crc32);
  });
});

const noise = (width: number, height: number, seed: number): Image => {
  let state = seed;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24;
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, next) };
};

it("equals PIL for many sizes and all filters, in both orders of the passes", () => {
  type Row = { seed: number; from: [number, number]; to: [number, number]; filter: Filter; crc32: number };
  for (const { seed, from, to, filter, crc32: want } of readJson<Row[]>("../pillow/resize.json")) {
    const got = crc32(resize(noise(...from, seed), ...to, filter).data);
    expect(got, `${from} to ${to}, ${filter}`).toBe(want);
  }
});

const size = fc.integer({ min: 1, max: 40 });
;

describe("resize", () => {
  it("keeps a picture of one colour, on a canvas of that colour too", () => {
    const colour = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255));
    const property = fc.property(size, size, size, size, colour, anyFilter, (w, h, nw, nh, c, f) => {
      const canvas = { width: w + 7, height: h + 4, left: 3, top: 1, colour: c };
      expect(resize(blankImage(w, h, c), nw, nh, f).data).toEqual(blankImage(nw, nh, c).data);
      expect(resize(blankImage(w, h, c), nw, nh, f, { canvas }).data).toEqual(blankImage(nw, nh, c).data);
    });
    fc.assert(property, { numRuns: 300, seed: 1 });
  });

  it("gives a window as the part of the whole, and a canvas as a padded picture", () => {
    const property = fc.property(size, size, size, size, fc.nat(999), anyFilter, (w, h, nw, nh, seed, f) => {
      const image = noise(w, h, seed + 1);
      const colour = [200, 100, 50];
      const [left, top] = [seed % 6, seed % 4];
      const padded = blankImage(w + 6, h + 4, colour);
      for (let y = 0; y < h; y++) {
        padded.data.set(image.data.subarray(y * w * 3, (y + 1) * w * 3), ((y + top) * padded.width + left) * 3);
      }
      const whole = resize(padded, nw, nh, f);
      const corner = { left: seed % nw, top: seed % nh };
      const window = { ...corner, width: 1 + ((nw - 1 - corner.left) >> 1), height: nh - corner.top };
      const canvas = { width: padded.width, height: padded.height, left, top, colour };
      const part = resize(image, nw, nh, f, { canvas, window });
      expect(part).toEqual(cropImage(whole, window.left, window.top, window.width, window.height));
    });
    fc.assert(property, { numRuns: 300, seed: 2 });
  });

  it("takes a part of a picture that would be enormous", () => {
    const strip = noise(20_000, 2, 5);
    const window = { left: 1_679_832, top: 0, width: 336, height: 336 };
    const part = resize(strip, 3_360_000, 336, "bicubic", { window });
    expect([part.width, part.height]).toEqual([336, 336]);
  });
});
