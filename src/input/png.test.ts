import fc from "fast-check";
import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { decodeImage } from "./decode.ts";
import { ImageError } from "./image.ts";
import { crc32 } from "./png.ts";

type Kind = [depth: number, colourType: number, interlaced: number];

/** A PNG with right checksums around `stream`, which is taken as its compressed data. */
function pngFile(width: number, height: number, [depth, colourType, interlaced]: Kind, stream: Uint8Array): Uint8Array {
  const head = Buffer.from([0, 0, 0, width, 0, 0, 0, height, depth, colourType, 0, 0, interlaced]);
  const palette = Uint8Array.from({ length: 9 }, (_, i) => 10 * i);
  const chunks = { IHDR: head, PLTE: palette, IDAT: stream, IEND: new Uint8Array(0) };
  const parts = Object.entries(chunks).map(([name, data]) => {
    const part = Buffer.concat([Buffer.alloc(4), Buffer.from(name), data, Buffer.alloc(4)]);
    part.writeUInt32BE(data.length, 0);
    part.writeUInt32BE(crc32(part.subarray(4, -4)), part.length - 4);
    return part;
  });
  return new Uint8Array(Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), ...parts]));
}

const grey: Kind = [8, 0, 0];
const rows = new Uint8Array([0, 1, 2, 3, 0, 4, 5, 6]); // 3 x 2 grey, filter 0
const counting = Uint8Array.from({ length: 12 }, (_, i) => i); // as rows of any kind: filters that do not exist
const pixels = [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6];

describe("what the checksums of a PNG do not show", () => {
  it("reads no more than the header promises", async () => {
    const bomb = deflateSync(Buffer.concat([rows, Buffer.alloc(2 ** 24)]));
    expect(Array.from((await decodeImage(pngFile(3, 2, grey, bomb))).data)).toEqual(pixels);
  });

  it.each([
    ["rows that are missing", grey, deflateSync(rows.subarray(0, 4)), /cut short: its compressed data ends early$/],
    ["a row that is too short", grey, deflateSync(rows.subarray(0, 7)), /cut short: its compressed data ends early$/],
    ["a stream without its end", grey, deflateSync(rows).subarray(0, 5), /(cut short|damaged): its compressed data/],
    ["no stream", grey, new Uint8Array(0), /(cut short|damaged): its compressed data/],
    ["bytes that are no stream", grey, rows, /damaged: its compressed data cannot be read$/],
    ["a filter that does not exist", grey, deflateSync(rows.with(4, 5)), /its rows cannot be decoded \(.*5\)$/],
    ["such a filter when interlaced", [8, 0, 1], deflateSync(counting), /damaged: its rows cannot be decoded/],
    ["such a filter of packed samples", [2, 3, 1], deflateSync(counting), /damaged: its rows cannot be decoded/],
    ["a depth that does not exist", [4, 2, 0], deflateSync(rows), /depth 4 with colour type 2 does not exist$/],
    ["an interlacing that does not exist", [8, 0, 2], deflateSync(rows), /damaged/],
  ] as [string, Kind, Uint8Array, RegExp][])("refuses %s", async (_, kind, stream, message) => {
    const error = await decodeImage(pngFile(3, 2, kind, stream)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ImageError);
    expect((error as ImageError).message).toMatch(message);
  });

  it("gives a picture or an ImageError for any rows of any kind", async () => {
    const depth = fc.constantFrom(1, 2, 4, 8, 16);
    const kind = fc.tuple(depth, fc.constantFrom(0, 2, 3, 4, 6), fc.constantFrom(0, 1));
    const size = fc.integer({ min: 1, max: 9 });
    const filter = fc.constantFrom(0, 1, 2, 3, 4);
    const anyRows = fc.array(fc.oneof(filter, fc.nat(255)), { minLength: 1, maxLength: 900 });
    const property = fc.asyncProperty(size, size, kind, anyRows, async (width, height, ofKind, bytes) => {
      const file = pngFile(width, height, ofKind, deflateSync(new Uint8Array(bytes)));
      const result = await decodeImage(file).catch((reason: unknown) => reason);
      if (result instanceof ImageError) return;
      expect(result).toMatchObject({ width, height, data: { length: width * height * 3 } });
    });
    await fc.assert(property, { numRuns: 400, seed: 8 });
  });
});
