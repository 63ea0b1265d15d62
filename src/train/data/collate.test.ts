import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Random } from "../../../kernels/random.ts";
import { batchGoldens, tokenizerFiles } from "../../../test/golden/training/masks/read.ts";
import type { BatchGolden } from "../../../test/golden/training/masks/read.ts";
import { openFolder } from "../../../weights/index.ts";
import { Preparer } from "../../generate/prepare.ts";
import type { RawImage } from "../../input/image.ts";
import { parseConfig } from "../../models/config.ts";
import { collate } from "./collate.ts";
import type { CollateOptions } from "./collate.ts";
import { DataError, EmptyBatchError, SampleError } from "./error.ts";
import { loadBatches } from "./loader.ts";
import { picturePath } from "./path.ts";
import { SampleReader, samplesOf } from "./reader.ts";
import type { RawSample } from "./sample.ts";
import { Sampler } from "./sampler.ts";

type Model = keyof typeof batchGoldens;

/** Image rows of one tile. */
const rowsPerTile: Record<Model, number> = { llava: 9, llava_next: 16, llava_onevision: 9 };

async function processorOf(model: Model): Promise<Preparer> {
  const { config, preprocessor, processor } = batchGoldens[model];
  const files: Record<string, unknown> = {
    "config.json": config,
    "preprocessor_config.json": preprocessor,
    "processor_config.json": processor,
    "tokenizer.json": tokenizerFiles[model === "llava_onevision" ? "byte" : "llama"],
  };
  const blobs = Object.entries(files).map(([name, json]) => [name, new Blob([JSON.stringify(json)])] as const);
  return new Preparer(await openFolder(new Map(blobs)), parseConfig(config), rowsPerTile[model]);
}

const random = new Random(9);

function picture([height, width]: readonly [number, number]): RawImage {
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => random.integer(256)) };
}

function samplesFrom({ samples }: BatchGolden): RawSample[] {
  return samples.map(({ conversations, images }, i) => ({ id: `s${i}`, image: images.map(picture), conversations }));
}

const llava = await processorOf("llava");
const options: CollateOptions = { template: "v1" };
const answer = { from: "gpt", value: "A cat." } as const;
const textOnly: RawSample = { id: "text", conversations: [{ from: "human", value: "What?" }, answer] };
const either = { from: "human", value: "<image> or <image>?" } as const;
const withPicture = (image: RawSample["image"], id = "seen"): RawSample => ({
  id,
  image,
  conversations: [{ from: "human", value: "<image>\nWhat?" }, answer],
});

const unanswered: RawSample = { ...textOnly, conversations: [textOnly.conversations[0], { ...answer, value: "" }] };

describe("collate", () => {
  it.each(Object.keys(batchGoldens) as Model[])("%s: the batch of transformers", async (model) => {
    const golden = batchGoldens[model];
    const batch = await collate(samplesFrom(golden), await processorOf(model), { template: golden.template });
    expect(batch.inputIds).toEqual(golden.input_ids);
    expect(batch.labels).toEqual(golden.labels);
    expect(batch.attentionMask).toEqual(golden.attention_mask);
    expect(batch.pixelValues!.shape).toEqual(golden.pixel_values_shape);
    expect(batch.pixelValues!.data).toHaveLength(golden.pixel_values_shape.reduce((a, b) => a * b, 1));
    expect(batch.imageSizes).toEqual(golden.image_sizes);
    expect(batch.imagesPerSample).toEqual(golden.batch_num_images ?? golden.samples.map(({ images }) => images.length));
    expect(batch.sampleIds).toEqual(golden.samples.map((_, i) => `s${i}`));
  });

  it("puts each picture's tiles in front and zero tiles behind", async () => {
    const processor = await processorOf("llava_next");
    const [large, small] = [picture([20, 17]), picture([11, 10])];
    const { pixelValues } = await collate([withPicture(large), withPicture(small)], processor, options);
    const most = pixelValues!.shape[1];
    const each = pixelValues!.data.length / 2;
    for (const [i, source] of [large, small].entries()) {
      const { picture: seen } = await processor.image(source, 1);
      const own = pixelValues!.data.subarray(i * each, (i + 1) * each);
      expect(own.subarray(0, seen.pixels.length)).toEqual(seen.pixels);
      expect(own.subarray(seen.pixels.length).every((value) => value === 0)).toBe(true);
      expect(seen.tiles).toBeLessThanOrEqual(most);
    }
  });

  it("has no pixels without pictures", async () => {
    const batch = await collate([textOnly], llava, options);
    expect(Object.keys(batch)).toEqual(["inputIds", "labels", "attentionMask", "imagesPerSample", "sampleIds"]);
    expect(batch.imagesPerSample).toEqual([0]);
  });

  it("takes captions, interleaved pictures only where asked, and its own system text", async () => {
    const caption = await collate([withPicture(picture([8, 9]))], llava, { template: "plain" });
    const rows = Array.from({ length: 9 }, () => 519);
    expect(caption.inputIds[0].slice(0, 11)).toEqual([1, ...rows, caption.labels[0][10]]);
    const two = { ...withPicture([picture([8, 9]), picture([9, 8])]), conversations: [either, answer] };
    await expect(collate([two], llava, { ...options, placement: "front" })).rejects.toThrow(SampleError);
    const short = await collate([two], llava, { ...options, system: "" });
    const long = await collate([two], llava, options);
    expect(short.inputIds[0].length).toBeLessThan(long.inputIds[0].length);
  });

  it.each<[string, RawSample, string, RegExp]>([
    ["a broken sample", { id: "b", conversations: [] }, "conversations", /expected at least one turn/],
    ["a placeholder too many", { ...withPicture("x"), image: [] }, "image", /got 1 once they are in place/],
    ["a picture that is not there", withPicture("/no/such.png", "b"), "image", /image \/no\/such\.png: cannot be read/],
    ["a picture that is none", withPicture(new Uint8Array(40), "b"), "image", /is not a picture/],
    ["an empty answer", unanswered, "conversations", /to learn, got none: the tokens of its rounds do not add up/],
  ])("refuses %s, or leaves it out", async (_, sample, field, message) => {
    const failing = await collate([sample], llava, options).catch((error: unknown) => error);
    expect(failing).toBeInstanceOf(SampleError);
    expect(failing).toMatchObject({ sample: sample.id, field, message: expect.stringMatching(message) });
    const seen: SampleError[] = [];
    const report = (error: SampleError) => seen.push(error);
    const good = { ...textOnly, id: "good" };
    const batch = await collate([good, sample, good], llava, { ...options, onBadSample: "skip", report });
    expect(batch.sampleIds).toEqual(["good", "good"]);
    expect(seen).toEqual([failing]);
  });

  it("refuses a sample whose answers are cut off", async () => {
    const { labels } = await collate([textOnly], llava, options);
    const begin = labels[0].findIndex((label) => label !== -100);
    const cut = collate([textOnly], llava, { ...options, maxLength: begin });
    await expect(cut).rejects.toThrow(`to learn, got none: its answers are empty or begin behind maxLength ${begin}`);
    await expect(collate([textOnly], llava, { ...options, maxLength: begin + 1 })).resolves.toBeTruthy();
  });

  it("refuses a sample whose answers are cut off once pictures are expanded", async () => {
    const sample = withPicture(picture([8, 8]));
    const { labels } = await collate([sample], llava, options);
    const begin = labels[0].findIndex((label) => label !== -100);
    const cut = collate([sample], llava, { ...options, maxLength: begin });
    await expect(cut).rejects.toThrow(/sample seen, .* behind maxLength/);
  });

  it("refuses a sample that is cut inside of a picture", async () => {
    const question = { from: "human", value: "<image>" } as const;
    const sample = { ...withPicture(picture([8, 8])), conversations: [...textOnly.conversations, question, answer] };
    const { inputIds } = await collate([sample], llava, options);
    const maxLength = inputIds[0].lastIndexOf(519) - 3;
    const cut = collate([sample], llava, { ...options, maxLength });
    const message = `sample seen, image: expected room for 9 image tokens, got 5 within maxLength ${maxLength}`;
    await expect(cut).rejects.toThrow(message);
  });

  it("names the picture of several that is broken, and keeps the cause", async () => {
    const sample = { id: "b", image: [picture([3, 3]), "none.png"], conversations: [either, answer] };
    const error = await collate([sample], llava, options).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ field: "image[1]", cause: { name: "ImageError" } });
  });

  it("throws if nothing is left", async () => {
    const nothing = collate([{ id: "b", conversations: [] }], llava, { ...options, onBadSample: "skip" });
    await expect(nothing).rejects.toThrow(EmptyBatchError);
    await expect(nothing).rejects.toThrow("got 1 of which none is; the last one: sample b, conversations: ");
    await expect(collate([], llava, options)).rejects.toThrow(EmptyBatchError);
  });

  it("refuses settings, models and tokenizers that do not fit, whatever is done with bad samples", async () => {
    const skip = { ...options, onBadSample: "skip" } as const;
    await expect(collate([textOnly], llava, { ...options, onBadSample: "drop" } as never)).rejects.toThrow(DataError);
    await expect(collate([textOnly], llava, { template: "v9" } as never)).rejects.toThrow("template: expected one of");
    await expect(collate([textOnly], llava, { ...options, maxLenght: 9 } as never)).rejects.toThrow('options: expected only template, placement, maxLength, system, imageFolder, onBadSample, report, signal, got "maxLenght"');
    await expect(collate([textOnly], llava, undefined as never)).rejects.toThrow("options: expected an object, got nothing");
    for (const none of [undefined, null, textOnly]) await expect(collate(none as never, llava, options)).rejects.toThrow("samples: expected a list of samples, got ");
    const { config } = llava;
    const image = llava.image.bind(llava);
    const tokenizer = () => llava.tokenizer();
    const blind = { config: { ...config, kind: "text" as const }, image, tokenizer };
    const unseen = collate([withPicture(picture([3, 3]))], blind, skip);
    await expect(unseen).rejects.toThrow("the model reads text only, got sample seen");
    const small = { config: { ...config, text: { vocabulary: 300 } }, image, tokenizer };
    await expect(collate([textOnly], small, skip)).rejects.toThrow(/tokenizer: expected ids below 300/);
    const other = { config: { ...config, imageToken: 2 }, image, tokenizer };
    await expect(collate([textOnly], other, options)).rejects.toThrow("a text spells the image token of the model");
  });

  it("stops when aborted, also if bad samples are skipped", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    const aborted = collate([textOnly], llava, { ...options, onBadSample: "skip", signal });
    await expect(aborted).rejects.toThrow("enough");
  });
});

describe("loadBatches", () => {
  const folder = mkdtempSync(join(tmpdir(), "llava-loader-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const talk = (id: number): RawSample => ({ ...textOnly, id });

  it("reads files with relative pictures, in the sampler's order, and resumes with equal batches", async () => {
    const onePixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
    writeFileSync(join(folder, "dot.png"), Buffer.from(onePixel, "base64"));
    const samples = Array.from({ length: 7 }, (_, i) => (i % 2 ? talk(i) : withPicture("dot.png", `${i}`)));
    writeFileSync(join(folder, "data.json"), JSON.stringify(samples));
    const reader = await SampleReader.open([join(folder, "data.json")]);
    const lengths = await reader.lengths();
    const settings = { batch: 2, order: "modality", lengths } as const;
    const loading = { ...options, imageFolder: folder, ahead: 3 };
    const whole = await first(9, loadBatches(reader, new Sampler(7, { ...settings, seed: 5 }), llava, loading));
    const sampler = new Sampler(7, { ...settings, seed: 5 });
    expect(whole.map(({ batch }) => batch.sampleIds)).toEqual(whole.map(() => sampler.next().map(String)));
    expect(whole.some(({ batch }) => batch.pixelValues?.shape[0] === 2)).toBe(true);
    const again = new Sampler(7, { ...settings, state: whole[3].state });
    expect(await first(5, loadBatches(reader, again, llava, loading))).toEqual(whole.slice(4));
    await reader.close();
  });

  it("passes over batches without a usable sample, and reports each bad one", async () => {
    const list = [talk(0), { id: "x" }, talk(2), { id: "y" }];
    const seen: string[] = [];
    const report = ({ sample }: SampleError) => seen.push(sample);
    const sampler = new Sampler(4, { batch: 1, order: "file" });
    const skip = { ...options, onBadSample: "skip", report, ahead: 1 } as const;
    const loaded = await first(3, loadBatches(samplesOf(list), sampler, llava, skip));
    expect(loaded.map(({ batch }) => batch.sampleIds)).toEqual([["0"], ["2"], ["0"]]);
    expect(seen.slice(0, 2)).toEqual(["x", "y"]);
  });

  it("fails at the first bad sample unless told otherwise", async () => {
    const sampler = new Sampler(2, { batch: 1, order: "file" });
    const loading = loadBatches(samplesOf([talk(0), { id: "x" }]), sampler, llava, options);
    expect((await loading.next()).value!.batch.sampleIds).toEqual(["0"]);
    await expect(loading.next()).rejects.toThrow("sample x, conversations: expected a list of turns");
  });

  it("ends with an error when a whole epoch has nothing usable, or the numbers differ", async () => {
    const bad = samplesOf([{ id: "x" }, { id: "y" }]);
    const skip = { ...options, onBadSample: "skip" } as const;
    const loading = loadBatches(bad, new Sampler(2, { batch: 1 }), llava, skip);
    await expect(loading.next()).rejects.toThrow("data: expected a usable sample, got a whole epoch without one");
    expect(() => loadBatches(bad, new Sampler(3, { batch: 1 }), llava, skip)).toThrow("sampler: expected 2 samples");
  });
});

describe("picturePath", () => {
  it("joins relative paths only", () => {
    expect(picturePath("data/", "coco/a.jpg")).toBe(join("data", "coco", "a.jpg"));
    expect(picturePath("https://host/pictures/", "a.jpg")).toBe("https://host/pictures/a.jpg");
    for (const whole of ["/a.jpg", "C:\\a.jpg", "https://host/a.jpg", "data:image/png;base64,AA"]) {
      expect(picturePath("data", whole)).toBe(whole);
    }
    expect(picturePath(undefined, "a.jpg")).toBe("a.jpg");
    const bytes = new Uint8Array(1);
    expect(picturePath("data", bytes)).toBe(bytes);
  });
});

async function first<T>(count: number, items: AsyncIterable<T>): Promise<T[]> {
  const got: T[] = [];
  for await (const item of items) if (got.push(item) === count) break;
  return got;
}
