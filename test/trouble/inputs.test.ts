/** Requests and pictures that are not right, and odd pictures that are: end to end through a loaded model. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ImageError } from "../../src/input/image.ts";
import { PromptError } from "../../src/input/prompt.ts";
import { Llava } from "../../src/llava.ts";
import { TokenizerError } from "../../tokenizer/index.ts";
import { expectTrouble, tinyCheckpoint } from "../harness/checkpoints.ts";
import { goldenPath } from "../harness/golden.ts";

const adapter = "swiftshader";
const picture = (file: string) => goldenPath(`images/${file}`);
const bytes = (file: string) => new Uint8Array(readFileSync(picture(file)));
const ask = (image: unknown) => ({ prompt: "<image>\nWhat is this?", template: "none", images: [image as Uint8Array] });

/** One chunk of a PNG file; the checksum is right. */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  out.set(new TextEncoder().encode(type), 4);
  out.set(data, 8);
  let sum = 0xffffffff;
  for (const byte of out.subarray(4, 8 + data.length)) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  view.setUint32(8 + data.length, ~sum >>> 0);
  return out;
}

/** A grey PNG whose header says width x height, with `rows` rows of data. */
function png(width: number, height: number, rows = height): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 8;
  const data = new Uint8Array((width + 1) * rows);
  for (let i = 0; i < data.length; i++) data[i] = i % (width + 1) === 0 ? 0 : i & 255;
  const parts = [Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10), chunk("IHDR", header), chunk("IDAT", new Uint8Array(deflateSync(data))), chunk("IEND", new Uint8Array(0))];
  return new Uint8Array(Buffer.concat(parts));
}

/** An animated GIF of 2 x 2 pixels: a red frame, then a green one. */
function animation(): Uint8Array {
  const frame = (colour: number) => [0x21, 0xf9, 4, 0, 10, 0, 0, 0, 0x2c, 0, 0, 0, 0, 2, 0, 2, 0, 0, 2, 3, 0x04 | (colour << 3) | (colour << 6), (colour >> 2) | (colour << 1) | (colour << 4), 0x05, 0];
  return Uint8Array.of(...new TextEncoder().encode("GIF89a"), 2, 0, 2, 0, 0xf0, 0, 0, 255, 0, 0, 0, 255, 0, ...frame(0), ...frame(1), 0x3b);
}

let llava: Llava;
let next: Llava;
beforeAll(async () => {
  llava = await Llava.load(tinyCheckpoint("llava-clip-llama"), { adapter });
  next = await Llava.load(tinyCheckpoint("llava-next-llama"), { adapter });
});
afterAll(() => Promise.all([llava.dispose(), next.dispose()]));

describe("a picture", () => {
  const cases: [what: string, image: () => unknown, says: RegExp][] = [
    ["that is not one", () => new TextEncoder().encode("this is a text and no picture at all"), /is not a picture; give a JPEG, PNG, WebP or GIF/],
    ["that is empty", () => new Uint8Array(0), /is empty/],
    ["of another format", () => new TextEncoder().encode("%PDF-1.7 and so on and so on"), /is PDF, which is not supported/],
    ["that is a missing file", () => "/no/such/picture.png", /\/no\/such\/picture\.png: cannot be read/],
    ["that is a folder", () => tmpdir(), /cannot be read/],
    ["that no server has", () => "http://127.0.0.1:9/cat.png", /cannot be fetched/],
    ["at a broken address", () => "http://[/cat.png", /cannot be fetched/],
    ["whose file address has a bad escape", () => "file:///%E0%A4%A.png", /cannot be read/],
    ["whose header promises gigapixels", () => png(100_000, 100_000, 1), /100000 x 100000 pixels are 10000 megapixels, more than the limit/],
    ["whose header promises more rows than come", () => png(100, 100, 3), /image from bytes: /],
    ["that is a number", () => 7, /give a path, URL, Blob, bytes/],
    ["that is null", () => null, /give a path, URL, Blob, bytes/],
    ["of raw pixels of the wrong number", () => ({ width: 2, height: 2, data: new Uint8Array(13) }), /2 x 2 pixels need 12 bytes of RGB or 16 of RGBA, got 13/],
    ["of raw pixels without size", () => ({ width: 0, height: 2, data: new Uint8Array(0) }), /positive integers/],
    ["of raw floats", () => ({ width: 1, height: 1, data: new Float32Array(3) }), /must be a Uint8Array/],
  ];
  for (const [what, image, says] of cases) {
    it(`${what} is an error`, async () => {
      await expectTrouble(llava.generate(ask(image())), ImageError, says);
      await expectTrouble(llava.prepare(ask(image())), ImageError, says);
    });
  }

  for (const file of ["square.png", "grey16.png", "palette.png", "cmyk.jpg", "photo.webp"]) {
    it(`cut short is an error: ${file}`, async () => {
      const whole = bytes(file);
      for (const length of [3, 15, 40, whole.length >> 1]) await expectTrouble(llava.prepare(ask(whole.slice(0, length))), ImageError, /^image from bytes: /);
    });
  }

  it("in a file without a right name is taken for what it is", async () => {
    const folder = mkdtempSync(join(tmpdir(), "llava-trouble-"));
    writeFileSync(join(folder, "picture.txt"), bytes("square.png"));
    const [named, given] = await Promise.all([llava.prepare(ask(join(folder, "picture.txt"))), llava.prepare(ask(bytes("square.png")))]);
    expect(named.pixelValues).toEqual(given.pixelValues);
    rmSync(folder, { recursive: true });
  });

  const odd: [what: string, image: () => unknown, size: [number, number]][] = [
    ["1 x 1", () => png(1, 1), [1, 1]],
    ["20,000 pixels wide and 3 high", () => png(20_000, 3), [3, 20_000]],
    ["3 pixels wide and 20,000 high", () => png(3, 20_000), [20_000, 3]],
    ["CMYK", () => picture("cmyk.jpg"), [0, 0]],
    ["16-bit grey", () => picture("grey16.png"), [0, 0]],
    ["with a palette", () => picture("palette.png"), [0, 0]],
    ["turned by EXIF", () => picture("exif.jpg"), [0, 0]],
    ["with alpha", () => picture("rgba.png"), [0, 0]],
    ["animated", animation, [2, 2]],
    ["of one raw pixel", () => ({ width: 1, height: 1, data: Uint8Array.of(1, 2, 3) }), [1, 1]],
  ];
  for (const [what, image, size] of odd) {
    it(`${what} simply works`, async () => {
      for (const model of [llava, next]) {
        const prepared = await model.prepare(ask(image()));
        if (size[0] > 0) expect(prepared.imageSizes).toEqual([size]);
        const { tokens } = await model.generate(ask(image()), { maxNewTokens: 2 });
        expect(tokens.length).toBeGreaterThan(0);
      }
    });
  }

  it("that is animated shows its first frame", async () => {
    const red = { width: 2, height: 2, data: Uint8Array.of(255, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0) };
    const [moving, still] = await Promise.all([llava.prepare(ask(animation())), llava.prepare(ask(red))]);
    expect(moving.pixelValues).toEqual(still.pixelValues);
  });
});

describe("a request", () => {
  const image = { width: 1, height: 1, data: Uint8Array.of(1, 2, 3) };
  const cases: [what: string, request: unknown, says: RegExp][] = [
    ["with more placeholders than pictures", { prompt: "<image><image> a", template: "none", images: [image] }, /got 2 placeholders and 1 image; give more images or remove placeholders/],
    ["with fewer placeholders than pictures", { prompt: "<image> a", template: "none", images: [image, image] }, /got 1 placeholder and 2 images; add a <image> for each image/],
    ["with a placeholder and no picture", { prompt: "<image> a", template: "none" }, /got 1 placeholder and 0 images/],
    ["with a picture without a place", { prompt: "a", template: "none", images: [image] }, /got 0 placeholders and 1 image/],
    ["with a part without its picture", { messages: [{ role: "user", content: [{ type: "image" }] }] }, /got 1 placeholder and 0 images/],
    ["with video for a model without", { prompt: "a", videos: [[image]] }, /takes no videos/],
    ["with prompt and messages", { prompt: "a", messages: [] }, /either prompt or messages, got both/],
    ["with neither", {}, /either prompt or messages, got neither/],
    ["without messages", { messages: [] }, /at least one message/],
    ["with a message of no kind", { messages: [{ role: "user", content: 5 }] }, /messages\[0\]\.content must be a string or an array of parts/],
    ["with a part of no kind", { messages: [{ role: "user", content: [{ type: "sound" }] }] }, /must be a part of type "text", "image" or "video"/],
    ["with pictures that are no list", { prompt: "a", images: image }, /images must be an array/],
    ["with a misspelt field", { prompt: "a", image: "cat.jpg" }, /expected only prompt, system, messages, images, videos, template, got "image"/],
    ["that is null", null, /must be an object/],
    ["that is a text", "What is this?", /must be an object/],
  ];
  for (const [what, request, says] of cases) it(`${what} is an error`, () => expectTrouble(llava.generate(request as never), PromptError, says));

  it("with an unknown template is an error that lists the known ones", () =>
    expectTrouble(llava.generate({ prompt: "a", template: "vicuna_v7" }), TokenizerError, /expected "none", a Jinja template or one of .*, got "vicuna_v7"/));

  it("with a template that fails is an error", () =>
    expectTrouble(llava.generate({ prompt: "a", template: "{{ raise_exception('no system, please') }}" }), TokenizerError, /no system, please/));

  it("with a picture for a model that reads text only is an error", async () => {
    const text = await Llava.load(tinyCheckpoint("decoder-llama"), { adapter });
    await expectTrouble(text.generate({ prompt: "a", template: "none", images: [image] }), PromptError, /reads text only, got 1 images and 0 videos; use a LLaVA checkpoint/);
    await text.dispose();
  });

  it("leaves the model as it was", async () => {
    expect((await llava.generate(ask(image), { maxNewTokens: 2 })).tokens.length).toBeGreaterThan(0);
  });
});
