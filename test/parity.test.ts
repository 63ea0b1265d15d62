/** Every captured layer, the logits and the greedy tokens of every family equal Hugging Face transformers. */
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Preparer } from "../src/generate/prepare.ts";
import type { Request } from "../src/input/messages.ts";
import { testAdapters } from "./harness/adapters.ts";
import { expectClose } from "./harness/close.ts";
import { type GoldenCase, goldenCases, goldenPath, goldenTensors, storedRows, valuePath } from "./harness/golden.ts";
import { greedy, loadParts, type Parts } from "./harness/model.ts";

/** Of a tensor's largest value: separates rounding from a wrong GELU or epsilon (the oracle's NOISE.md). */
const LIMIT = 2e-5;

/** Checkpoint folder -> goldens. The twins hold the same values in other types, shards and names. */
const models: [folder: string, goldens: string][] = [
  ["llava-clip-llama", "llava-clip-llama"],
  ["llava-clip-llama-names-4.52-float16", "llava-clip-llama"],
  ["llava-clip-llama-shards-bfloat16", "llava-clip-llama"],
  ["llava-clip-llama-transformers-5", "llava-clip-llama"],
  ["llava-mistral-sliding", "llava-mistral-sliding"],
  ["llava-full", "llava-full"],
  ["llava-layer-list", "llava-layer-list"],
  ["llava-siglip", "llava-siglip"],
  ["llava-interleave", "llava-interleave"],
  ["llava-next-llama", "llava-next-llama"],
  ["llava-next-mistral", "llava-next-mistral"],
  ["llava-next-llama3", "llava-next-llama3"],
  ["llava-onevision", "llava-onevision"],
  ["llava-onevision-max4", "llava-onevision-max4"],
  ["decoder-llama", "decoder-llama"],
  ["decoder-llama-linear", "decoder-llama-linear"],
  ["decoder-llama-dynamic", "decoder-llama-dynamic"],
  ["decoder-llama3", "decoder-llama3"],
  ["decoder-mistral", "decoder-mistral"],
  ["decoder-qwen2", "decoder-qwen2"],
];

for (const found of await testAdapters()) {
  describe(`parity with transformers on ${found.name}`, () => {
    for (const [folder, goldens] of models) {
      describe(folder, () => {
        let parts: Parts;
        beforeAll(async () => {
          parts = await loadParts(goldenPath(`tiny/${folder}`), found);
        });
        afterAll(async () => {
          await parts.runtime.dispose();
          await parts.gpu.dispose();
        });

        for (const golden of goldenCases(goldens)) {
          it(golden.case, () => check(golden.image_processor ? { ...parts, preparer: padding(folder, parts) } : parts, goldens, golden));
        }
      });
    }
  });
}

async function check(parts: Parts, goldens: string, golden: GoldenCase): Promise<void> {
  const { runtime, preparer, config } = parts;
  const prepared = await preparer.prepare(requestOf(golden));
  expect(Array.from(prepared.inputIds)).toEqual(golden.input_ids);
  if (golden.image_sizes) expect(prepared.imageSizes).toEqual(golden.image_sizes);

  const tensors = await goldenTensors(goldens, golden);
  const ids = Uint32Array.from(prepared.inputIds);
  await runtime.see(prepared.sights);
  const seen = prepared.sights.length > 0 ? await runtime.captureVision(prepared.sights, ["**"]) : {};
  const read = await runtime.captureLanguage(ids, prepared.source, { watch: ["**"], positions: "all" });
  const captured = { ...seen, ...read.captured };

  const compared: string[] = [];
  for (const [name, { shape, rows, data }] of tensors) {
    const path = valuePath(name, config.vision?.kind);
    if (path === undefined) continue;
    const value = captured[path];
    expect(value, `${name} as ${path}`).toBeDefined();
    expectClose(storedRows(value!.data, shape, rows), data, LIMIT, path);
    compared.push(path);
  }
  const last = tensors.get("logits_last")!;
  expectClose(read.logits.data.subarray(-config.text.vocabulary), last.data, LIMIT, "logits of the last position");
  // Each layer of the decoder, the final norm and the merged embeddings at the least.
  expect(compared.length).toBeGreaterThanOrEqual(config.text.layers + 2);

  const { tokens } = golden.greedy;
  expect(await greedy(parts, ids, prepared.source, tokens.length)).toEqual(tokens);
  expect(await greedy(parts, ids, prepared.source, 3, 7), "prefill in chunks of 7").toEqual(tokens.slice(0, 3));
}

/** A golden of the processor that pads to a square, which the checkpoint's own files do not name. */
function padding(folder: string, { config, model }: Parts): Preparer {
  const path = goldenPath(`tiny/${folder}`);
  const files = new Map(readdirSync(path).map((name) => [name, readFileSync(`${path}/${name}`, "utf8")]));
  const known = files.get("preprocessor_config.json") ?? JSON.stringify(JSON.parse(files.get("processor_config.json")!).image_processor);
  files.set("preprocessor_config.json", JSON.stringify({ ...JSON.parse(known), image_processor_type: "LlavaImageProcessor", do_pad: true }));
  const text = async (name: string) => files.get(name)!;
  const has = async (name: string) => files.has(name);
  const json = async (name: string) => JSON.parse(await text(name)) as unknown;
  const open = () => Promise.reject(new Error("no weights here"));
  return new Preparer({ name: path, list: async () => [...files.keys()], has, text, json, open }, config, model.rowsPerTile);
}

function requestOf({ messages, prompt, images = [], videos = [] }: GoldenCase): Request {
  const pictures = {
    images: images.map((file) => goldenPath(`images/${file}`)),
    ...(videos.length ? { videos: videos.map((frames) => frames.map((file) => goldenPath(`images/${file}`))) } : {}),
  };
  return messages ? { messages, ...pictures } : { prompt, template: "none", ...pictures };
}
