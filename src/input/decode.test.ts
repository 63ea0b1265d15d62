import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { readJson, readPicture } from "../../test/golden/pixels/read.ts";
import { decodeImage } from "./decode.ts";
import { ImageError } from "./image.ts";
import { crc32 } from "./png.ts";

interface Golden {
  picture: string;
  by_path: { height_width: [number, number]; crc32: number };
}
const { pictures } = readJson<{ pictures: Golden[] }>("decoding.json");

interface Kind {
  picture: string;
  height_width: [number, number];
  crc32: number;
  transparent?: number[];
}
const kinds = readJson<Kind[]>("../pillow/decoding.json");

describe("decodeImage against PIL", () => {
  it.each(pictures)("$picture", async ({ picture, by_path }) => {
    const image = await decodeImage(readPicture(picture));
    expect([image.height, image.width]).toEqual(by_path.height_width);
    expect(crc32(image.data)).toBe(by_path.crc32);
  });

  it.each(kinds)("$picture", async ({ picture, height_width, transparent, ...golden }) => {
    const image = await decodeImage(readPicture(picture, "pillow"));
    expect([image.height, image.width]).toEqual(height_width);
    expect(crc32(image.data)).toBe(golden.crc32);
    expect(image.transparent).toEqual(transparent);
  });

  it("ignores the orientation on request", async () => {
    const stored = await decodeImage(readPicture("exif.jpg"), { orientation: "ignore" });
    expect([stored.width, stored.height]).toEqual([90, 60]);
    expect(crc32(stored.data)).toBe(291509148); // as_object in decoding.json
  });
});

describe("sources", () => {
  const speck = readPicture("speck.png");
  const path = new URL("../../test/golden/images/speck.png", import.meta.url);
  const base64 = Buffer.from(speck).toString("base64");

  it("takes paths, URLs, Blobs and bytes", async () => {
    const want = await decodeImage(speck);
    const offset = new Uint8Array([0, ...speck]).subarray(1);
    const places = [path.pathname, path, path.href, `data:image/png;base64,${base64}`];
    for (const source of [...places, new Blob([speck]), speck.buffer, offset]) {
      expect(await decodeImage(source)).toEqual(want);
    }
  });

  it("says why a URL cannot be fetched", async () => {
    const missing = async () => new Response(null, { status: 404, statusText: "Not Found" });
    const answers = [missing, () => Promise.reject(new Error("down"))];
    const messages = [/: cannot be fetched: the server answered 404 Not Found$/, /: cannot be fetched \(down\)$/];
    for (const [i, answer] of answers.entries()) {
      vi.stubGlobal("fetch", answer);
      await expect(decodeImage("https://example.org/cat.jpg")).rejects.toThrow(messages[i]);
    }
    vi.unstubAllGlobals();
  });

  it("takes RGB and RGBA pixels and copies them", async () => {
    const rgb = new Uint8Array([1, 2, 3, 4, 5, 6]);
    const image = await decodeImage({ width: 2, height: 1, data: rgb });
    rgb[0] = 99;
    expect(Array.from(image.data)).toEqual([1, 2, 3, 4, 5, 6]);
    const rgba = { width: 1, height: 2, data: new Uint8ClampedArray([1, 2, 3, 0, 4, 5, 6, 255]) };
    expect(Array.from((await decodeImage(rgba)).data)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it.each([
    ["no such file", "/no/such/picture.png", /^image \/no\/such\/picture\.png: cannot be read/],
    ["an empty file", new Uint8Array(0), /is empty/],
    ["text", new TextEncoder().encode("just some words"), /is not a picture; give a JPEG, PNG, WebP or GIF/],
    ["BMP", new TextEncoder().encode("BM6....and so on and on"), /is BMP, which is not supported/],
    ["TIFF", new TextEncoder().encode("II*\0and so on and on..."), /is TIFF/],
    ["HEIC", new TextEncoder().encode("\0\0\0\x18ftypheic and so on"), /is HEIC/],
    ["AVIF", new TextEncoder().encode("\0\0\0\x18ftypavif and so on"), /is AVIF/],
    ["SVG", new TextEncoder().encode('<?xml version="1.0"?><svg xmlns="x"/>'), /is SVG/],
    ["PDF", new TextEncoder().encode("%PDF-1.4 and so on and on"), /is PDF/],
    ["an HTML page", new TextEncoder().encode("<!DOCTYPE html><html>Not found"), /is an HTML page/],
    ["too few pixels", { width: 2, height: 2, data: new Uint8Array(5) }, /need 12 bytes of RGB or 16 of RGBA, got 5/],
    ["no size", { width: 0, height: 2, data: new Uint8Array(0) }, /positive integers, got 0 x 2/],
    ["a number", 5 as unknown as string, /of type number: give a path/],
    ["nothing", null as unknown as string, /of type null/],
  ])("refuses %s", async (_, source, message) => {
    const error = await decodeImage(source).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ImageError);
    expect((error as ImageError).message).toMatch(message);
    expect((error as ImageError).message).not.toContain("\n");
  });

  it("stops when aborted", async () => {
    await expect(decodeImage(speck, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });
});

const jpegs = ["CMYK-420-restarts.jpg", "CMYK-444-progressive.jpg"];
const rarer = [...jpegs, "P9-interlaced-key.gif", "RGBA-lossy-animated.webp"];
const samples = [
  ...["exif.jpg", "rgba.png", "palette.png", "photo.webp"].map((name) => readPicture(name)),
  ...rarer.map((name) => readPicture(name, "pillow")),
];

describe("damaged pictures", () => {
  it.each(["exif.jpg", "cmyk.jpg", "square.png", "photo.webp"])("says that %s is cut short", async (name) => {
    const bytes = readPicture(name);
    for (const part of [0.1, 0.5, 0.9, 1 - 2 / bytes.length]) {
      const cut = bytes.slice(0, Math.max(20, Math.floor(bytes.length * part)));
      await expect(decodeImage(new Blob([cut]))).rejects.toThrow(/^image from a Blob: .*cut short/);
    }
  });

  it("says that a GIF is cut short", async () => {
    const gif = readPicture("P9.gif", "pillow");
    await expect(decodeImage(gif.subarray(0, gif.length - 40))).rejects.toThrow(/cut short/);
    const early = readPicture("no-end.gif", "pillow").slice();
    early[31] = 4 | (5 << 3); // its first two codes: clear, end
    await expect(decodeImage(early)).rejects.toThrow(/cut short: its first frame is incomplete$/);
  });

  it("says that the codes of a GIF make no sense", async () => {
    const gif = readPicture("no-end.gif", "pillow").slice();
    gif[31] = 4 | (7 << 3); // clear, and a string that was never begun
    await expect(decodeImage(gif)).rejects.toThrow(/damaged: its compressed data makes no sense$/);
  });

  it("refuses headers that promise too much, before decoding", async () => {
    const png = readPicture("square.png").slice();
    const view = new DataView(png.buffer);
    view.setUint32(16, 100_000);
    view.setUint32(20, 100_000);
    view.setUint32(29, crc32(png.subarray(12, 29)));
    const limit = "100000 x 100000 pixels are 10000 megapixels, more than the limit of 200 megapixels";
    await expect(decodeImage(png)).rejects.toThrow(limit);
    const strict = decodeImage(readPicture("square.png"), { maxPixels: 1000 });
    await expect(strict).rejects.toThrow("336 x 336 pixels are 112896 pixels, more than the limit of 1000 pixels;");
    const jpeg = readPicture("exif.jpg").slice();
    const frame = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xc0);
    jpeg.fill(0xff, frame + 5, frame + 9);
    await expect(decodeImage(jpeg)).rejects.toThrow(/65535 x 65535/);
  });

  it("gives a picture or an ImageError for any bytes, and decodes on afterwards", async () => {
    const edit = fc.record({ at: fc.nat(), value: fc.nat(255) });
    const edits = fc.array(edit, { minLength: 1, maxLength: 6 });
    const anySample = fc.constantFrom(...samples);
    const property = fc.asyncProperty(anySample, edits, fc.boolean(), async (sample, changes, early) => {
      const bytes = sample.slice();
      for (const { at, value } of changes) bytes[at % (early ? Math.min(bytes.length, 120) : bytes.length)] = value;
      try {
        const { width, height, data } = await decodeImage(bytes, { maxPixels: 1e6 });
        expect(data.length).toBe(width * height * 3);
      } catch (error) {
        expect(error).toBeInstanceOf(ImageError);
      }
    });
    await fc.assert(property, { numRuns: 600, seed: 6 });
    const { by_path } = pictures.find(({ picture }) => picture === "exif.jpg") as Golden;
    expect(crc32((await decodeImage(readPicture("exif.jpg"))).data)).toBe(by_path.crc32);
  });

  it("gives an ImageError for random bytes behind every signature", async () => {
    const heads = [[0xff, 0xd8], [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10], Array.from(Buffer.from("GIF89a"))];
    const riff = Array.from(Buffer.from("RIFF\x10\0\0\0WEBP"));
    const rest = fc.uint8Array({ maxLength: 300 });
    const property = fc.asyncProperty(fc.constantFrom(...heads, riff), rest, async (head, tail) => {
      await expect(decodeImage(new Uint8Array([...head, ...tail]))).rejects.toBeInstanceOf(ImageError);
    });
    await fc.assert(property, { numRuns: 300, seed: 7 });
  });
});
