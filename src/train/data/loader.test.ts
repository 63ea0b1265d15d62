import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { batchGoldens, tokenizerFiles } from "../../../test/golden/training/masks/read.ts";
import { openFolder } from "../../../weights/index.ts";
import { Preparer } from "../../generate/prepare.ts";
import { ImageError } from "../../input/image.ts";
import { crc32 } from "../../input/png.ts";
import { parseConfig } from "../../models/config.ts";
import { DataError, SampleError } from "./error.ts";
import { loadBatches } from "./loader.ts";
import type { LoadedBatch, LoadOptions } from "./loader.ts";
import { samplesOf } from "./reader.ts";
import type { RawSample } from "./sample.ts";
import { Sampler } from "./sampler.ts";

const { config, preprocessor, processor } = batchGoldens.llava_next;
const files = {
  "config.json": config,
  "preprocessor_config.json": preprocessor,
  "processor_config.json": processor,
  "tokenizer.json": tokenizerFiles.llama,
};
const blobs = Object.entries(files).map(([name, json]) => [name, new Blob([JSON.stringify(json)])] as const);
const llava = new Preparer(await openFolder(new Map(blobs)), parseConfig(config), 16);

const imageFolder = dirname(fileURLToPath(new URL("../../../test/golden/images/README.md", import.meta.url)));
const conversations = [{ from: "human", value: "<image>\nWhat?" }, { from: "gpt", value: "A cat." }] as const;
const png = new Uint8Array(readFileSync(join(imageFolder, "rgba.png")));
const sample = (id: string, image?: RawSample["image"]): RawSample => ({
  id,
  ...(image ? { image, conversations } : { conversations: [{ from: "human", value: "What?" }, conversations[1]] }),
});
const samples = [
  sample("text"), sample("png", "square.png"), sample("none", "none.png"), sample("jpg", "cmyk.jpg"),
  sample("cut", png.slice(0, 90)), sample("bytes", png), sample("gone", "gone.png"), sample("large", "large.png"),
  { ...sample("mute", "dot.png"), conversations: [conversations[0]] }, sample("webp", "photo.webp"),
  sample("raw", { width: 3, height: 4, data: new Uint8Array(36) }), sample("wide", "wide.png"),
];

const options: LoadOptions = { template: "v1", imageFolder, onBadSample: "skip" };
const load = (given: Partial<LoadOptions>, batch = 2, list = samples) =>
  loadBatches(samplesOf(list), new Sampler(list.length, { batch, seed: 3 }), llava, { ...options, ...given });

async function first<T>(count: number, items: AsyncIterable<T>): Promise<T[]> {
  const got: T[] = [];
  for await (const item of items) if (got.push(item) === count) break;
  return got;
}

describe("loadBatches with workers", () => {
  it.each([1, 2, 5])("batches of %d: the same batches, states and reports with any number of workers", async (batch) => {
    const epochs = Math.ceil(samples.length / batch) + 2;
    const run = async (workers: number) => {
      const reports: SampleError[] = [];
      const loaded = await first(epochs, load({ workers, report: (error) => reports.push(error) }, batch));
      return { loaded, reports };
    };
    const [own, ...threaded] = await Promise.all([0, 1, 3].map(run));
    const summary = ({ batch: { pixelValues, ...facts }, state }: LoadedBatch) => ({
      ...facts,
      state,
      ...(pixelValues ? { shape: pixelValues.shape, crc32: crc32(new Uint8Array(pixelValues.data.buffer)) } : {}),
    });
    for (const { loaded, reports } of threaded) {
      expect(loaded.map(summary)).toEqual(own.loaded.map(summary));
      const shared = Math.min(reports.length, own.reports.length);
      expect(shared).toBeGreaterThanOrEqual(4);
      for (let i = 0; i < shared; i++) {
        expect(reports[i]).toEqual(own.reports[i]);
        expect(reports[i].cause instanceof ImageError).toBe(own.reports[i].cause instanceof ImageError);
      }
    }
  });

  it("fails at the first bad sample, by its name, behind the batches before it", async () => {
    const list = [sample("a", "dot.png"), sample("b", png), sample("c", png.slice(0, 90)), sample("d", "none.png")];
    for (const workers of [0, 2]) {
      const sampler = new Sampler(4, { batch: 1, order: "file" });
      const loading = loadBatches(samplesOf(list), sampler, llava, { template: "v1", imageFolder, workers });
      expect((await loading.next()).value!.batch.sampleIds).toEqual(["a"]);
      expect((await loading.next()).value!.batch.sampleIds).toEqual(["b"]);
      const error = await loading.next().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(SampleError);
      expect((error as SampleError).message).toMatch(/^sample c, image: image from bytes: the PNG is cut short/);
      expect(await loading.next()).toEqual({ done: true, value: undefined });
    }
  });

  it("ends with the signal's reason when aborted", async () => {
    const stop = new AbortController();
    const loading = load({ workers: 2, signal: stop.signal, ahead: 1 });
    await loading.next();
    stop.abort(new Error("enough"));
    const rest = (async () => {
      for (;;) if ((await loading.next()).done) return;
    })();
    await expect(rest).rejects.toThrow("enough");
  });

  it("looks ahead across small batches, but no further than two samples a worker", async () => {
    const many = Array.from({ length: 40 }, (_, i) => sample(String(i), png));
    let asked = 0;
    const source = { ...samplesOf(many), count: 40, sample: async (index: number) => (asked++, samplesOf(many).sample(index)) };
    const loading = loadBatches(source, new Sampler(40, { batch: 1 }), llava, { ...options, workers: 2, ahead: 3 });
    await loading.next();
    let before: number;
    do {
      before = asked;
      await new Promise((resolve) => setTimeout(resolve, 100));
    } while (asked > before || asked < 7);
    // One taken, three ready, the other three of the window of four under way.
    expect(asked).toBe(1 + 3 + 3);
    await loading.return();
  });

  it.each([-1, 1.5, "2"])("refuses %s workers", (workers) => {
    expect(() => load({ workers: workers as number })).toThrow(DataError);
    expect(() => load({ workers: workers as number })).toThrow(/^loadBatches: workers: expected a whole number of at least 0/);
  });
});
