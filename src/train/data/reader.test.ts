import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { LlavaError } from "../../../errors/index.ts";
import { WeightError } from "../../../weights/index.ts";
import { blobSource } from "../../../weights/source.ts";
import type { ByteSource } from "../../../weights/source.ts";
import { DataError, SampleError } from "./error.ts";
import { SampleReader, samplesOf } from "./reader.ts";
import { modalityLength, parseSample } from "./sample.ts";

const folder = mkdtempSync(join(tmpdir(), "llava-data-"));
afterAll(() => rmSync(folder, { recursive: true }));

const source = (text: string | Uint8Array, name = "data.json"): ByteSource =>
  blobSource(new Blob([text as Uint8Array<ArrayBuffer>]), name);

/** Texts with everything that could mislead a search for braces. */
const words = ["a", '"', "\\", "{", "}", "[", "]", ",", "\n", "ü🐱", '\\"', "\u2028", "<image>", " "];

const sampleOf = (id: number, value: string) => ({
  id: `s${id}`,
  ...(id % 2 ? { image: [`${id}.png`] } : {}),
  conversations: [{ from: "human", value }, { from: "gpt", value: "yes no" }],
});

/** How a list of samples can be written. */
const spellings: Record<string, (samples: object[]) => string> = {
  "a list": (samples) => JSON.stringify(samples),
  "a list over many lines": (samples) => `\ufeff \n${JSON.stringify(samples, undefined, 2)}\r\n\n`,
  lines: (samples) => samples.map((each) => JSON.stringify(each)).join("\n"),
  "lines of Windows, with empty ones": (samples) =>
    `\r\n${samples.map((each) => ` ${JSON.stringify(each)}\t\r\n\r\n`).join("")}`,
};

async function readAll(reader: SampleReader) {
  return Promise.all(Array.from({ length: reader.count }, (_, i) => reader.sample(i)));
}

describe("SampleReader", () => {
  it.each(Object.entries(spellings))("reads %s (property)", async (_, spell) => {
    const value = fc.array(fc.constantFrom(...words), { maxLength: 8 }).map((parts) => parts.join(""));
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 6 }), async (values) => {
        const samples = values.map((text, i) => sampleOf(i, text));
        const reader = await SampleReader.open([source(spell(samples))]);
        expect(await readAll(reader)).toEqual(samples.map((each) => parseSample(each)));
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  it("joins files of both kinds, by path or as sources, in their order", async () => {
    const samples = Array.from({ length: 7 }, (_, i) => sampleOf(i, `word ${i}`));
    const path = join(folder, "first.jsonl");
    writeFileSync(path, spellings.lines(samples.slice(0, 3)));
    const reader = await SampleReader.open([path, source("[]"), source(JSON.stringify(samples.slice(3)))]);
    expect(reader.count).toBe(7);
    expect((await readAll(reader)).map(({ id }) => id)).toEqual(["s0", "s1", "s2", "s3", "s4", "s5", "s6"]);
    expect([...(await reader.lengths())]).toEqual(samples.map((each) => modalityLength(parseSample(each))));
    await reader.close();
    await reader.close();
    await expect(reader.sample(0)).rejects.toThrow(WeightError);
  });

  it("finds samples across pieces, and reads a big file in blocks", async () => {
    const samples = Array.from({ length: 90 }, (_, i) => sampleOf(i, `${"lorem {ipsum\\ ".repeat(9000)}${i}`));
    for (const spell of [spellings["a list"], spellings.lines]) {
      const text = spell(samples);
      expect(text.length).toBeGreaterThan(2.5 * 4 * 2 ** 20);
      const reader = await SampleReader.open([source(text)]);
      expect(reader.count).toBe(90);
      expect((await reader.sample(89)).conversations[0].value).toBe(samples[89].conversations[0].value);
      expect([...(await reader.lengths())]).toEqual(samples.map((each) => modalityLength(parseSample(each))));
    }
  });

  it("reports a broken sample by its place, and counts it as one word", async () => {
    const good = JSON.stringify(sampleOf(0, "one two"));
    const lines = `${good}\n{"id": "x", conversations: 1}\n{"id": "y"}\n`;
    const reader = await SampleReader.open([source(lines, "set.jsonl")]);
    await expect(reader.sample(1)).rejects.toThrow(
      new RegExp(String.raw`^sample 1 of set\.jsonl \(at byte ${good.length + 1}\), JSON: expected one JSON object`),
    );
    await expect(reader.sample(2)).rejects.toThrow("sample y, conversations: expected a list of turns, got nothing");
    expect([...(await reader.lengths())]).toEqual([-4, -1, -1]);
    const bytes = new TextEncoder().encode(`[${good}]`);
    bytes[bytes.indexOf(0x77)] = 0xff;
    await expect((await SampleReader.open([source(bytes)])).sample(0)).rejects.toThrow(SampleError);
  });

  it.each([
    ["", "data.json: expected samples, got an empty file"],
    [" \n ", "data.json: expected samples, got an empty file"],
    ["[]", "data: expected at least one sample, got none in data.json"],
    ["datasets:\n", 'got a file that begins with "d"'],
    ["[", 'expected "]", got the end of the file at byte 1, behind 0 samples'],
    ['[{"id": 1}, {"id"', "got the end of the file at byte 17, inside of the sample behind 1 samples"],
    ["[{}, ]", 'expected a sample, an object in braces, got "]" at byte 5, behind 1 samples'],
    ["[1]", 'expected a sample or "]", got "1" at byte 1'],
    ["[{} {}]", 'expected "," or "]", got "{" at byte 4'],
    ["[{}] x", 'expected nothing more, got "x" at byte 5'],
  ])("refuses the file %j", async (text, message) => {
    const opened = SampleReader.open([source(text)]);
    await expect(opened).rejects.toThrow(DataError);
    await expect(opened).rejects.toThrow(message);
  });

  it("closes what it opened when a later file cannot be opened", async () => {
    let closed = 0;
    const first: ByteSource = { ...source("[{}]"), close: async () => void closed++ };
    await expect(SampleReader.open([first, join(folder, "missing.json")])).rejects.toThrow(WeightError);
    expect(closed).toBe(1);
    await expect(SampleReader.open([])).rejects.toThrow("data: expected at least one sample, got none in no files");
  });

  it("stops when aborted", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(SampleReader.open([source("[{}]")], { signal })).rejects.toThrow("enough");
  });

  it.each([-1, 1, 0.5, Number.NaN])("has no sample %d of one", async (index) => {
    const reader = await SampleReader.open([source("[{}]")]);
    await expect(reader.sample(index)).rejects.toThrow(`sample: expected an index from 0 to 0, got ${index}`);
    await expect(samplesOf([{}]).sample(index)).rejects.toThrow(DataError);
  });

  it("survives mutated files (property)", async () => {
    const clean = new TextEncoder().encode(JSON.stringify([0, 1, 2].map((i) => sampleOf(i, 'a "b" {c}\n'))));
    const byte = fc.constantFrom(...new TextEncoder().encode('{}[]",\\: x'));
    const change = fc.record({ at: fc.nat(clean.length - 1), to: byte });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), fc.nat(clean.length), async (changes, cut) => {
        const bytes = clean.slice(0, clean.length - (cut % 7 === 0 ? cut : 0));
        for (const { at, to } of changes) if (at < bytes.length) bytes[at] = to;
        try {
          const reader = await SampleReader.open([source(bytes)]);
          await reader.lengths();
          await readAll(reader);
        } catch (error) {
          expect(error).toBeInstanceOf(LlavaError);
          expect((error as Error).message).not.toMatch(/\n/);
        }
      }),
      { numRuns: 300, seed: 6 },
    );
  });
});
