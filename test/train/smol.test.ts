/** The whole example on a tiny tower and a tiny language model of random weights: assembled, trained, interrupted, resumed, asked. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Llava } from "llava-webgpu";
import { Random } from "llava-webgpu/train";
import { Checkpoint, createFile, openFolder, toFloat32, writeSafetensors } from "llava-webgpu/weights";
import { afterAll, describe, expect, it } from "vitest";
import { testAdapters } from "../harness/adapters.ts";
import { goldenPath } from "../harness/golden.ts";
import { randomWeights } from "../../examples/random-model.ts";
import { EVALUATED } from "../../examples/train-emoji/drawings.ts";
import { conceptNamed, testConcepts, testDrawings } from "../../examples/train-emoji/test-concepts.ts";
import { assemble, type AssembleOptions } from "../../examples/train-smol/assemble.ts";
import { converse, nameHeldOut } from "../../examples/train-smol/evaluate.ts";
import { Dialogues, type LessonOptions, Names } from "../../examples/train-smol/lessons.ts";
import { freshProjector, rootMeanSquare } from "../../examples/train-smol/projector.ts";
import { generalQuestions, questionsAbout, type Talk, wholeSentences } from "../../examples/train-smol/talk.ts";
import { type SmolProgress, type SmolRun, trainSmol } from "../../examples/train-smol/train.ts";

const root = mkdtempSync(join(tmpdir(), "llava-smol-"));
afterAll(() => rmSync(root, { recursive: true }));
const [found] = await testAdapters();
const adapter = found!.name;
const tower = goldenPath("tiny/llava-next-llama");
const random = new Random(1);
const pictures = Array.from({ length: 3 }, () => ({ width: 24, height: 24, data: Uint8Array.from(random.integers(3 * 24 * 24, 256)) }));

/** A LLaMA of random weights with SmolLM2's tokens, in its layout. */
async function writeLanguage(name: string, { tied = true, ...changes }: { tied?: boolean; model_type?: string } = {}): Promise<string> {
  const folder = join(root, name);
  const from = goldenPath("text/tokenizers/qwen");
  mkdirSync(folder);
  cpSync(join(from, "tokenizer_config.json"), join(folder, "tokenizer_config.json"));
  const tokenizer = JSON.parse(readFileSync(join(from, "tokenizer.json"), "utf8"));
  tokenizer.added_tokens = tokenizer.added_tokens.filter(({ content }: { content: string }) => !["<image>", "<video>"].includes(content));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
  const text = { width: 24, layers: 2, heads: 3, keyValueHeads: 1, inner: 40, positions: 256 };
  const config = {
    model_type: "llama", vocab_size: 433, hidden_size: 24, intermediate_size: 40, num_hidden_layers: 2, num_attention_heads: 3,
    num_key_value_heads: 1, hidden_act: "silu", rms_norm_eps: 1e-5, max_position_embeddings: 256, attention_dropout: 0,
    rope_parameters: { rope_theta: 10000, rope_type: "default" }, tie_word_embeddings: tied, bos_token_id: 431, eos_token_id: 432, ...changes,
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const vision = { imageSize: 8, patch: 8, width: 8, layers: 1, heads: 1, inner: 8, activation: "gelu" } as const;
  const initialisation = { scaledResiduals: false, embedding: 0.14, position: 1, logits: 1 };
  const weights = randomWeights({ vision, featureLayer: -1, text, anyRes: false }, 433, initialisation, new Random(2))
    .filter(({ name }) => name.startsWith("model.language_model.") || (name === "lm_head.weight" && !tied))
    .map((tensor) => ({ ...tensor, name: tensor.name.replace("language_model.", "") }));
  await writeSafetensors(await createFile(join(folder, "model.safetensors")), weights, { format: "pt" });
  return folder;
}

async function assembled(name: string, options: Partial<AssembleOptions> = {}): Promise<string> {
  const output = join(root, name);
  await assemble({ tower, language: await writeLanguage(`${name} language`), output, pictures, adapter, ...options });
  return output;
}

const model = await assembled("model");

describe("assemble", () => {
  it("writes a LLaVA-1.5 with a new image token, whose rows are as large as the tokens'", async () => {
    const llava = await Llava.load(model, { adapter });
    expect(llava.config).toMatchObject({ kind: "llava", newline: false, imageToken: 433, eos: [432], pad: 432, featureLayers: [2], text: { tied: true, vocabulary: 448 } });
    const { captured } = await llava.forward({ images: [pictures[0]], prompt: "a" }, { capture: ["projector"] });
    expect(captured.projector.shape).toEqual([1, 36, 24]);
    expect(rootMeanSquare(captured.projector.data)).toBeCloseTo(0.14, 1);
    const { prompt, inputIds } = await llava.prepare({ images: [pictures[0]], prompt: "What is this?" });
    expect(prompt).toBe("<|im_start|>user\n<image>\nWhat is this?<|im_end|>\n<|im_start|>assistant\n");
    expect([...inputIds].filter((id) => id === 433)).toHaveLength(36);
    await llava.dispose();
  });

  it("keeps the weights of both parts, and gives new tokens the mean row", async () => {
    const [whole, language] = await Promise.all([model, join(root, "model language")].map(async (folder) => Checkpoint.open(await openFolder(folder), { rename: (name) => name })));
    const values = async (source: Checkpoint, name: string) => toFloat32(await source.read(name), source.info(name).dtype);
    const layer = "layers.1.mlp.down_proj.weight";
    expect(await values(whole, `model.language_model.${layer}`)).toEqual(await values(language, `model.${layer}`));
    expect(whole.names().filter((name) => name.startsWith("model.vision_tower.vision_model."))).not.toHaveLength(0);
    expect(whole.names().filter((name) => /newline|lm_head/.test(name))).toEqual([]);
    const rows = await values(whole, "model.language_model.embed_tokens.weight");
    const old = await values(language, "model.embed_tokens.weight");
    expect(rows.slice(0, old.length)).toEqual(old);
    const mean = Float32Array.from({ length: 24 }, (_, d) => old.filter((_, i) => i % 24 === d).reduce((sum, value) => sum + value, 0) / 433);
    for (let row = 433; row < 448; row++) for (let d = 0; d < 24; d++) expect(rows[24 * row + d]).toBeCloseTo(mean[d], 6);
    await whole.close();
    await language.close();
  });

  it("grows a head of its own, too", async () => {
    const output = await assembled("untied", { language: await writeLanguage("with head", { tied: false }) });
    const llava = await Llava.load(output, { adapter });
    expect(llava.config.text).toMatchObject({ tied: false, vocabulary: 448 });
    const { logits } = await llava.forward({ images: [pictures[0]], prompt: "What is this?" });
    expect(logits.data.indexOf(Math.max(...logits.data))).toBeLessThan(433);
    await llava.dispose();
  });

  it("says which part does not fit", async () => {
    const language = join(root, "model language");
    const options = { tower, language, output: join(root, "none"), pictures, adapter };
    await expect(assemble({ ...options, tower: language })).rejects.toThrow('expected a LLaVA with a clip_vision_model, got "llama"');
    await expect(assemble({ ...options, tower: goldenPath("tiny/llava-layer-list") })).rejects.toThrow("expected one vision_feature_layer, got 3");
    await expect(assemble({ ...options, language: await writeLanguage("other", { model_type: "mistral" }) })).rejects.toThrow('type llama, got "mistral"');
    await expect(assemble({ ...options, language: model })).rejects.toThrow("expected a decoder of type llama");
    await expect(assemble({ ...options, language: root })).rejects.toThrow("expected config.json, found none");
    expect(existsSync(join(root, "none"))).toBe(false);
  });

  it("scales a projector by what it reads", () => {
    const features = { shape: [50, 16], data: new Random(3).normal(50 * 16, 0, 7) };
    const [first, , second] = freshProjector(features, 32, 0.25, new Random(4)).map(({ data }) => new Float32Array((data as Uint8Array).buffer));
    expect(rootMeanSquare(first)).toBeCloseTo(1 / (7 * 4), 2);
    const outputs: number[] = [];
    for (let row = 0; row < 50; row++) {
      const hidden = Array.from({ length: 32 }, (_, j) => {
        const x = features.data.slice(16 * row, 16 * row + 16).reduce((sum, value, i) => sum + value * first[16 * j + i], 0);
        return 0.5 * x * (1 + Math.tanh(0.7978845608 * (x + 0.044715 * x ** 3)));
      });
      for (let j = 0; j < 32; j++) outputs.push(hidden.reduce((sum, value, i) => sum + value * second[32 * j + i], 0));
    }
    expect(rootMeanSquare(Float32Array.from(outputs))).toBeCloseTo(0.25, 4);
  });
});

const drawings = {
  concepts: testConcepts,
  training: testDrawings,
  heldOut: { twemoji: testDrawings.slice(0, 3).map((drawing) => ({ ...drawing, vendor: "twemoji", natural: new Uint8Array(EVALUATED ** 2 * 3).fill(200) })) },
};

describe("talk", () => {
  it("asks about things by their names, and about what is seen", () => {
    expect(questionsAbout([conceptNamed("pig"), conceptNamed("grinning face")])).toEqual([
      { name: "pig", spoken: "Tell me something about a pig.", seen: "Tell me something about it." },
      { name: "pig", spoken: "What does a pig like to eat?", seen: "What does it like to eat?" },
      { name: "pig", spoken: "Where does a pig live?", seen: "Where does it live?" },
    ]);
  });

  it.each([
    ["One. Two is cut o", "One."],
    ["Dogs weigh 4.5 kg, or", ""],
    [' "Yes!" And\nthen? no', '"Yes!" And\nthen?'],
    ["", ""],
  ])("cuts %j", (text, whole) => expect(wholeSentences(text)).toBe(whole));
});

describe("lessons", () => {
  const options: LessonOptions = { drawings, tile: 24, seed: 5, batchSize: 8, batches: 3 };
  const talk: Talk = {
    general: [{ question: "Hello!", answer: "Hi." }],
    things: [{ name: "pig", spoken: "Where does a pig live?", seen: "Where does it live?", answer: "On a farm." }],
  };

  it("name pictures in stage 1, the same ones every time", async () => {
    const names = new Names(options);
    expect(names.count).toBe(24);
    const sample = await names.sample(7);
    expect(await new Names(options).sample(7)).toEqual(sample);
    expect(await names.sample(8)).not.toEqual(sample);
    expect(sample.images).toMatchObject([{ width: 24, height: 24 }]);
    expect(sample.conversations[0].value).toMatch(/^<image>\n\w/);
    expect(testConcepts.map(({ name }) => name)).toContain(sample.conversations[1].value);
  });

  it("mix dialogues, talk that a picture begins, and talk alone in stage 2, alike in every batch", async () => {
    const dialogues = new Dialogues(options, talk);
    for (let batch = 0; batch < 3; batch++) {
      const samples = await Promise.all(Array.from({ length: 8 }, (_, i) => dialogues.sample(8 * batch + i)));
      expect(samples.map(({ images }) => images.length)).toEqual([0, 1, 1, 1, 1, 1, 1, 1]);
      expect(["Hi.", "On a farm."]).toContain(samples[0].conversations[1].value);
      for (const { conversations } of samples.slice(1, 3)) {
        expect(conversations.slice(1).map(({ value }) => value)).toEqual(["pig", "Where does it live?", "On a farm."]);
      }
      for (const { conversations } of samples.slice(3)) expect(conversations.length).toBeGreaterThanOrEqual(4);
    }
  });
});

describe("trainSmol", () => {
  const run = (name: string, changes: Partial<SmolRun> = {}): SmolRun => ({
    model, output: join(root, name), drawings, things: ["pig", "banana"], steps: [2, 3], learningRates: [1e-3, 1e-3], batchSize: 4,
    talk: { things: 1, maxNewTokens: 3 }, seed: 1, checkpointEvery: 1, adapter, ...changes,
  });
  const losses = (name: string): number[] => readFileSync(join(root, name, "log.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line).loss);

  it(`trains both stages, also when interrupted, into a model that answers, on ${adapter}`, async () => {
    const seen: SmolProgress[] = [];
    expect(await trainSmol(run("whole", { onProgress: (progress) => seen.push(progress) }))).toBe(true);
    expect(seen.filter(({ kind }) => kind === "talk").length).toBeGreaterThan(generalQuestions.length);
    expect(seen.flatMap((one) => (one.kind === "step" ? [[one.stage, one.step, one.steps]] : []))).toEqual([[1, 1, 2], [1, 2, 2], [2, 1, 3], [2, 2, 3], [2, 3, 3]]);

    const stop = new AbortController();
    const onProgress = (progress: SmolProgress): void => {
      if (progress.kind === "step" && progress.stage === 2) stop.abort();
    };
    expect(await trainSmol(run("parts", { onProgress, signal: stop.signal }))).toBe(false);
    expect(losses("parts")).toHaveLength(3);
    await expect(trainSmol(run("parts"))).rejects.toThrow("holds the checkpoint of a run: resume it, or name another folder");
    await expect(trainSmol(run("parts", { resume: true, batchSize: 5 }))).rejects.toThrow("belongs to a run of");
    expect(await trainSmol(run("parts", { resume: true }))).toBe(true);
    expect(losses("parts")).toEqual(losses("whole"));
    const bytes = (name: string) => readFileSync(join(root, name, "model", "model.safetensors"));
    expect(bytes("parts").equals(bytes("whole"))).toBe(true);

    const llava = await Llava.load(join(root, "whole", "model"), { adapter });
    const named = await nameHeldOut(llava, drawings, { count: 2 });
    expect(named.map(({ item }) => item.answer)).toEqual([drawings.heldOut.twemoji[0], drawings.heldOut.twemoji[1]].map(({ concept }) => concept.name));
    expect(named[0]).toMatchObject({ text: expect.any(String), right: false });
    expect(await converse(llava, named[0].item.images[0], ["What is this?", "Where does it live?"])).toEqual([expect.any(String), expect.any(String)]);
    await llava.dispose();
  });

  it("refuses things that nobody drew", async () => {
    await expect(trainSmol(run("unknown", { things: ["pig", "wyvern"] }))).rejects.toThrow('things: expected names of drawings to learn from, got "wyvern"');
  });
});
