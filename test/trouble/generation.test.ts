/** What generating promises beyond the right tokens: seeds, stops, budgets, weights in pieces, no work for the host in a step. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LogitsError, OptionError } from "../../src/generate/errors.ts";
import type { GenerateOptions } from "../../src/generate/generate.ts";
import { chooseAdapter } from "../../src/gpu/adapter.ts";
import { Llava } from "../../src/llava.ts";
import { TEXT } from "../../src/ops/index.ts";
import { testAdapters } from "../harness/adapters.ts";
import { expectTrouble, tinyCheckpoint, withJson, withNaN, withValues } from "../harness/checkpoints.ts";
import { expectClose } from "../harness/close.ts";
import { goldenCases, goldenPath } from "../harness/golden.ts";
import { greedy, loadParts, type Parts } from "../harness/model.ts";

const plain = { prompt: "Hello there", template: "none" };

for (const found of await testAdapters()) {
  describe(`generation on ${found.name}`, () => {
    let llava: Llava;
    beforeAll(async () => {
      const files = await withJson(tinyCheckpoint("llava-clip-llama"), "config.json", (config) => (config.eos_token_id = -1));
      llava = await Llava.load(await withJson(files, "generation_config.json", (config) => delete config.eos_token_id), { adapter: found.name });
    });
    afterAll(() => llava.dispose());
    const tokens = async (options: GenerateOptions) => (await llava.generate(plain, { maxNewTokens: 12, ...options })).tokens;

    it("draws the same tokens for the same seed, others for others", async () => {
      const drawn = { temperature: 1, topK: 50, topP: 0.95, minP: 0.001 };
      const first = await tokens({ ...drawn, seed: 1 });
      expect(await tokens({ ...drawn, seed: 1 })).toEqual(first);
      expect(await tokens({ ...drawn, seed: 2 })).not.toEqual(first);
      expect(first).toHaveLength(12);
    });

    it("keeps the best logits of every step, greedy the first of them", async () => {
      const result = await llava.generate(plain, { maxNewTokens: 5, topLogits: 3 });
      expect(result.steps).toHaveLength(5);
      for (const [i, { token, top }] of result.steps!.entries()) {
        expect(top).toHaveLength(3);
        expect([token, top[0]!.token]).toEqual([result.tokens[i], result.tokens[i]]);
        expect(top.map(({ logit }) => logit)).toEqual(top.map(({ logit }) => logit).toSorted((a, b) => b - a));
      }
      expect((await llava.generate(plain, { maxNewTokens: 5 })).tokens).toEqual(result.tokens);
      expect(await llava.generate(plain, { maxNewTokens: 2 })).not.toHaveProperty("steps");
    });

    it("discourages repetition", async () => {
      const free = await tokens({});
      const penalised = await tokens({ repetitionPenalty: 10 });
      expect(penalised).not.toEqual(free);
      expect(new Set(penalised).size).toBe(penalised.length);
    });

    it("cuts the text at a stop string and streams what it returns", async () => {
      const { text } = await llava.generate(plain, { maxNewTokens: 12 });
      const stop = text.slice(5, 8);
      const answer = llava.stream(plain, { maxNewTokens: 12, stop: ["never comes", stop] });
      let streamed = "";
      let step = await answer.next();
      for (; !step.done; step = await answer.next()) streamed += step.value;
      expect(step.value).toMatchObject({ text: text.slice(0, text.indexOf(stop)), finishReason: "stop" });
      expect(streamed).toBe(step.value.text);
    });

    it("ends at any of several end tokens, and keeps it", async () => {
      const all = await tokens({});
      const end = all.findIndex((token, i) => i >= 2 && all.indexOf(token) === i);
      const files = await withJson(tinyCheckpoint("llava-clip-llama"), "generation_config.json", (config) => (config.eos_token_id = [440, all[end]]));
      const other = await Llava.load(files, { adapter: found.name });
      const result = await other.generate(plain, { maxNewTokens: 12 });
      expect(result).toMatchObject({ tokens: all.slice(0, end + 1), finishReason: "stop" });
      await other.dispose();
    });

    it("says so when logits are NaN: greedy, sampled, with their best kept, and in forward", async () => {
      const broken = await Llava.load(await withNaN(tinyCheckpoint("llava-clip-llama"), "language_model.model.norm.weight"), { adapter: found.name });
      const says = /expected finite numbers, got \d+ NaN and 0 infinite of 448; .*weights: "f32"/;
      for (const options of [{}, { temperature: 1, seed: 1 }, { topLogits: 2 }]) await expectTrouble(broken.generate(plain, options), LogitsError, says);
      await expectTrouble(broken.forward(plain), LogitsError, says);
      await broken.dispose();
    });

    it("says so when the largest logit is infinite: greedy, sampled, with its best kept, and in forward", async () => {
      // Whatever the sign of the hidden state's first column, one of the tokens 7 and 8 overflows upwards.
      const width = 40;
      const infinite = (old: number, i: number) => (i === 7 * width ? Infinity : i === 8 * width ? -Infinity : old);
      const broken = await Llava.load(await withValues(tinyCheckpoint("llava-clip-llama"), "language_model.lm_head.weight", infinite), { adapter: found.name });
      const says = /expected finite numbers, got 0 NaN and 1 infinite of 448; .*weights: "f32"/;
      for (const options of [{}, { temperature: 1, seed: 1 }, { topLogits: 2 }]) await expectTrouble(broken.generate(plain, options), LogitsError, says);
      await expectTrouble(broken.forward(plain), LogitsError, says);
      await broken.dispose();
    });

    it("says so when a NaN comes from the picture", async () => {
      const broken = await Llava.load(await withNaN(tinyCheckpoint("llava-clip-llama"), "vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias"), { adapter: found.name });
      const image = { width: 5, height: 7, data: new Uint8Array(105) };
      const request = { prompt: "<image>\nHi", template: "none", images: [image] };
      await expectTrouble(broken.generate(request), LogitsError, /NaN/);
      await expectTrouble(broken.forward(request), LogitsError, /NaN/);
      await broken.dispose();
    });
  });

  describe(`the parts of generation on ${found.name}`, () => {
    let parts: Parts;
    let ids: Uint32Array;
    let source: Uint32Array;
    beforeAll(async () => {
      parts = await loadParts(goldenPath("tiny/llava-clip-llama"), found);
      const golden = goldenCases("llava-clip-llama").find((each) => each.case === "two-images")!;
      const prepared = await parts.preparer.prepare({ prompt: golden.prompt, template: "none", images: golden.images!.map((file) => goldenPath(`images/${file}`)) });
      ids = Uint32Array.from(prepared.inputIds);
      source = prepared.source;
      await parts.runtime.see(prepared.sights);
    });
    afterAll(async () => {
      await parts.runtime.dispose();
      await parts.gpu.dispose();
    });

    it("gives with a cache what it gives without", async () => {
      const cached = await greedy(parts, ids, source, 6);
      const naive: number[] = [];
      while (naive.length < 6) {
        const sequence = Uint32Array.of(...ids, ...naive);
        const places = Uint32Array.of(...source, ...naive.map(() => TEXT));
        const { logits } = await parts.runtime.captureLanguage(sequence, places, { watch: [], positions: "last" });
        naive.push(logits.data.indexOf(Math.max(...logits.data)));
      }
      expect(cached).toEqual(naive);
    });

    it("reads a prompt in pieces as in one", async () => {
      const { runtime } = parts;
      const logitsOf = async (chunk: number) => {
        runtime.reset();
        return (await runtime.extend(ids, source, "logits", { chunk })).logits!;
      };
      const whole = await logitsOf(512);
      for (const chunk of [1, 5, 16]) expectClose(await logitsOf(chunk), whole, 1e-5, `logits in chunks of ${chunk}`);
    });

    it("gives the same logits with weights split into row blocks", async () => {
      const all = await parts.runtime.captureLanguage(ids, source, { watch: [], positions: "all" });
      const split = await loadParts(goldenPath("tiny/llava-clip-llama"), found, { maxBindingBytes: 4096 });
      const blocks = [...split.model.parameters.values()].map((parameter) => parameter.blocks.length);
      expect(Math.max(...blocks)).toBeGreaterThan(10);
      const golden = goldenCases("llava-clip-llama").find((each) => each.case === "two-images")!;
      const prepared = await split.preparer.prepare({ prompt: golden.prompt, template: "none", images: golden.images!.map((file) => goldenPath(`images/${file}`)) });
      await split.runtime.see(prepared.sights);
      const { logits } = await split.runtime.captureLanguage(ids, source, { watch: [], positions: "all" });
      expectClose(logits.data, all.logits.data, 1e-6, "logits");
      await split.runtime.dispose();
      await split.gpu.dispose();
    });

    it("makes no GPU object in a decode step but the command encoder, and no allocation", async () => {
      const { runtime, gpu } = parts;
      runtime.reset();
      let { token } = await runtime.extend(ids, source, "token");
      const step = async () => ({ token } = await runtime.extend(Uint32Array.of(token!), Uint32Array.of(TEXT), "token"));
      await step();
      const made: string[] = [];
      const device = gpu.device as unknown as Record<string, (...args: unknown[]) => unknown>;
      const makers = ["createBuffer", "createBindGroup", "createBindGroupLayout", "createPipelineLayout", "createShaderModule", "createComputePipeline", "createComputePipelineAsync", "createQuerySet", "createTexture"];
      const encoders: string[] = [];
      for (const name of [...makers, "createCommandEncoder"]) {
        const real = device[name]!;
        device[name] = (...args) => {
          (name === "createCommandEncoder" ? encoders : made).push(name);
          return real.apply(gpu.device, args);
        };
      }
      const before = gpu.allocated;
      for (let i = 0; i < 20; i++) await step();
      for (const name of [...makers, "createCommandEncoder"]) delete device[name];
      expect(made).toEqual([]);
      expect(encoders).toHaveLength(20);
      expect(gpu.allocated).toBe(before);
    });
  });
}

describe("an option of generate", () => {
  let llava: Llava;
  beforeAll(async () => {
    llava = await Llava.load(tinyCheckpoint("decoder-llama"), { adapter: (await chooseAdapter("swiftshader")).name });
  });
  afterAll(() => llava.dispose());

  const cases: [options: unknown, says: RegExp][] = [
    [{ maxNewTokens: 0 }, /^maxNewTokens: expected an integer of at least 1, got 0$/],
    [{ maxNewTokens: 1.5 }, /^maxNewTokens: .* got 1\.5$/],
    [{ temperature: -1 }, /^temperature: expected a finite number of at least 0, got -1$/],
    [{ temperature: "1" }, /^temperature: .* got "1"$/],
    [{ topK: 0.5 }, /^topK: /],
    [{ topP: 0 }, /^topP: /],
    [{ minP: 2 }, /^minP: /],
    [{ repetitionPenalty: 0 }, /^repetitionPenalty: /],
    [{ seed: NaN }, /^seed: /],
    [{ stop: "END" }, /^stop: expected an array of non-empty strings, got "END"$/],
    [{ stop: [""] }, /^stop: /],
    [{ topLogits: -1 }, /^topLogits: /],
    [{ signal: "now" }, /^signal: expected an AbortSignal, got "now"$/],
    [{ maxTokens: 5 }, /^options: expected only maxNewTokens, .*, got "maxTokens"$/],
    [null, /^options: expected an object, got null$/],
  ];
  for (const [options, says] of cases) {
    it(`${JSON.stringify(options)} is refused before anything runs`, async () => {
      await expectTrouble(llava.generate(plain, options as GenerateOptions), OptionError, says);
      await expectTrouble(llava.stream(plain, options as GenerateOptions).next(), OptionError, says);
    });
  }

  it("of forward is refused too", async () => {
    await expectTrouble(llava.forward(plain, { positions: "first" as never }), OptionError, /^positions: expected "last" or "all", got "first"$/);
    await expectTrouble(llava.forward(plain, { capture: "logits" as never }), OptionError, /^capture: expected an array of globs/);
    await expectTrouble(llava.forward(plain, { watch: [] } as never), OptionError, /got "watch"$/);
  });
});
