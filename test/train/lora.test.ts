/** Adapters: which layers get them, what they compute, and their files. Their training curves are in curves.test.ts. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { LlavaError } from "../../errors/index.ts";
import { Random } from "../../kernels/random.ts";
import { Llava, OptionError, WeightError } from "../../src/index.ts";
import type { Resident } from "../../src/graph/tensor.ts";
import { addLora, adapterSlots, adaptersOf, attachAdapters, type LoraOptions, mergeLora, removeLora } from "../../src/train/lora.ts";
import { parseAdapterConfig } from "../../src/train/lora-config.ts";
import { loadLora, saveLora } from "../../src/train/lora-files.ts";
import { linearModules } from "../../src/train/lora-modules.ts";
import { saveModel } from "../../src/train/save.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { blobSink, Checkpoint, fromFloat32, openFolder, toFloat32, writeSafetensors } from "../../weights/index.ts";
import { testAdapters } from "../harness/adapters.ts";
import { difference } from "../harness/difference.ts";
import { goldenPath } from "../harness/golden.ts";
import { readBatch, readTensors, readWeights } from "../harness/training.ts";

const folder = goldenPath("training/model/llava");
const initial = goldenPath("training/curves/lora_initial");
const request = { prompt: "a red square", template: "none" } as const;

let batch: Awaited<ReturnType<typeof readBatch>>;
beforeAll(async () => {
  batch = await readBatch(goldenPath("training/curves/batches.safetensors"), "0/");
});

/** Collects what is saved as named Blobs, which every loader takes. */
function memory() {
  const sinks = new Map<string, ReturnType<typeof blobSink>>();
  const target = (file: string) => {
    const sink = blobSink(file);
    sinks.set(file, sink);
    return sink;
  };
  return { target, files: () => Object.fromEntries([...sinks].map(([file, sink]) => [file, sink.blob()])) };
}

function initialFiles(): Record<string, Blob> {
  const blob = (file: string) => new Blob([readFileSync(`${initial}/${file}`)]);
  return { "adapter_config.json": blob("adapter_config.json"), "adapter_model.safetensors": blob("adapter_model.safetensors") };
}

/** The tensors of a saved model, by their own names. */
async function tensorsOf(files: Record<string, Blob>): Promise<Map<string, Float32Array>> {
  const checkpoint = await Checkpoint.open(await openFolder(files), { rename: (name) => name });
  const tensors = new Map<string, Float32Array>();
  for (const name of checkpoint.names()) tensors.set(name, toFloat32(await checkpoint.read(name), checkpoint.info(name).dtype));
  await checkpoint.close();
  return tensors;
}

/** Adapters on every linear layer of every part, with a B that is not zero. */
async function attachEverywhere(llava: Llava, dropout: number): Promise<void> {
  const random = new Random(7);
  const modules = await linearModules(llava.parts.loaded);
  const adapter = (module: (typeof modules)[number]) => ({
    module,
    rank: 3,
    a: random.normal(3 * module.inputs, 0, 0.2),
    b: random.normal(3 * module.rows, 0, 0.05),
    scale: 1.5,
    dropout,
  });
  await attachAdapters(llava, modules.map(adapter));
}

async function logits(llava: Llava): Promise<Float32Array> {
  return (await llava.forward(request, { positions: "all" })).logits.data;
}

for (const found of await testAdapters()) {
  describe(`LoRA on ${found.name}`, () => {
    const load = (options: { weights?: "f16" } = {}) => Llava.load(folder, { adapter: found.name, ...options });

    it("begins as the model that it adapts, with A drawn from a seed and B zero", async () => {
      const llava = await load();
      const before = await logits(llava);
      const read = async ({ buffer, shape }: Resident) =>
        new Float32Array(await llava.parts.loaded.gpu.read(buffer, 0, 4 * shape.reduce((product, length) => product * length, 1)));
      const draws: Float32Array[] = [];
      for (const seed of [1, 1, 2]) {
        await addLora(llava, { rank: 5, seed });
        expect(await logits(llava)).toEqual(before);
        const [{ a, b, scale } = expect.fail("no adapter")] = adaptersOf(llava.parts.loaded);
        const values = await read(a.block);
        const bound = 1 / Math.sqrt(a.shape[1]!);
        expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
        expect(Math.max(...values.map(Math.abs))).toBeGreaterThan(0.9 * bound);
        expect((await read(b.block)).every((value) => value === 0)).toBe(true);
        expect(scale).toBe(2);
        draws.push(values);
        removeLora(llava);
      }
      expect(draws[1]).toEqual(draws[0]);
      expect(draws[2]).not.toEqual(draws[0]);
      await llava.dispose();
    });

    it("takes bare names in the language model only, and globs anywhere", async () => {
      const llava = await load();
      const chosen = async (targets: string[]) => {
        await addLora(llava, { rank: 2, targets });
        const modules = adaptersOf(llava.parts.loaded).map(({ module }) => module);
        removeLora(llava);
        return modules;
      };
      const queries = [0, 1].map((i) => `model.language_model.layers.${i}.self_attn.q_proj`);
      expect(await chosen(["q_proj"])).toEqual(queries);
      expect(await chosen(["self_attn.q_proj", "layers.1.mlp.up_proj"])).toEqual([...queries, "model.language_model.layers.1.mlp.up_proj"]);
      expect(await chosen(["**.q_proj"])).toHaveLength(2 + 3);
      expect(await chosen(["vision_tower.**"])).toHaveLength(3 * 6);
      expect(await chosen(["multi_modal_projector.*"])).toEqual(["model.multi_modal_projector.linear_1", "model.multi_modal_projector.linear_2"]);
      await addLora(llava, { rank: 2 });
      expect(adaptersOf(llava.parts.loaded)).toHaveLength(2 * 7);
      await expect(addLora(llava, { rank: 2 })).rejects.toThrow("expected a model without adapters");
      removeLora(llava);
      for (const targets of [["nothing_proj"], ["q_proj", "proj"], ["lm_head"], ["**.embed_tokens"], [], [3]]) {
        await expect(addLora(llava, { rank: 2, targets: targets as string[] })).rejects.toBeInstanceOf(OptionError);
      }
      for (const wrong of [{ rank: 0 }, { rank: 1.5 }, { rank: 2, alpha: 0 }, { rank: 2, dropout: 1 }, { rank: 2, seed: 0.5 }, { rank: 2, ranks: 3 }, null]) {
        await expect(addLora(llava, wrong as LoraOptions)).rejects.toBeInstanceOf(OptionError);
      }
      await expect(Trainer.create(llava, { trainable: [], learningRate: 1, lora: "loaded" })).rejects.toThrow("expected a model with adapters");
      await llava.dispose();
    });

    it("has the gradients of its loss, dropout included, in the decoder, the projector and the tower", async () => {
      const llava = await load();
      await attachEverywhere(llava, 0.3);
      const trainer = await Trainer.create(llava, { trainable: [], learningRate: 1, lora: "loaded" });
      const { loss, gradients } = await trainer.gradients(batch);
      expect((await trainer.gradients(batch)).loss).toBe(loss);
      expect(Object.keys(gradients).filter((name) => name.includes("vision_tower")).length).toBe(2 * 2 * 6);

      const { gpu } = llava.parts.loaded;
      const random = new Random(3);
      const moves = await Promise.all(
        adapterSlots(llava.parts.loaded)
          .filter(({ foreignName }) => gradients[foreignName])
          .map(async ({ foreignName, parameter, count }) => {
            const { buffer } = parameter.block;
            return { buffer, foreignName, values: new Float32Array(await gpu.read(buffer, 0, count * 4)), direction: random.normal(count) };
          }),
      );
      const lossAt = async (step: number): Promise<number> => {
        for (const { buffer, values, direction } of moves) gpu.write(buffer, 0, values.map((value, i) => value + step * direction[i]!));
        return (await trainer.gradients(batch)).loss;
      };
      const step = 1e-3;
      const slope = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
      const wanted = moves.reduce((sum, { foreignName, direction }) => sum + gradients[foreignName]!.data.reduce((s, g, i) => s + g * direction[i]!, 0), 0);
      expect(slope / wanted).toBeCloseTo(1, 2);
      await trainer.dispose();
      await llava.dispose();
    });

    it("answers the same merged as beside its weights, which may be f16", async () => {
      for (const weights of [undefined, "f16"] as const) {
        const llava = await load(weights ? { weights } : {});
        const before = await logits(llava);
        await attachEverywhere(llava, 0.5);
        const beside = await logits(llava);
        expect(difference(beside, before).share).toBeGreaterThan(1e-2);
        await mergeLora(llava);
        expect(adaptersOf(llava.parts.loaded)).toEqual([]);
        expect(difference(await logits(llava), beside).share).toBeLessThan(1e-5);

        const saved = memory();
        await saveModel(llava, saved.target);
        const again = await Llava.load(saved.files(), { adapter: found.name });
        const kept = await readWeights(again);
        const tensors = [...(await readWeights(llava))].filter(([name]) => /layers.*(proj|fc\d|linear_\d)\.weight$/.test(name));
        expect(tensors).toHaveLength(2 * 7 + 3 * 6);
        for (const [name, values] of tensors) expect(kept.get(name), name).toEqual(values);
        await again.dispose();
        await llava.dispose();
      }
    });

    it("is saved merged while training goes on, as mergeLora has it", async () => {
      const [llava, other] = [await load(), await load()];
      const trainers: Trainer[] = [];
      for (const one of [llava, other]) {
        await attachEverywhere(one, 0.3);
        trainers.push(await Trainer.create(one, { trainable: ["projector"], learningRate: 1e-2, lora: "loaded" }));
      }
      const [trainer, without] = trainers as [Trainer, Trainer];
      const [early, whole, halves, merged] = [memory(), memory(), memory(), memory()];
      const { gpu } = llava.parts.loaded;
      for (let step = 0; step < 2; step++) {
        expect(await trainer.step(batch)).toEqual(await without.step(batch));
        if (step > 0) continue;
        const bytes = gpu.allocated;
        await trainer.save(early.target, { merged: true });
        expect(gpu.allocated).toBe(bytes);
      }
      expect(await trainer.parameters()).toEqual(await without.parameters());

      await trainer.save(whole.target, { merged: true });
      await trainer.save(halves.target, { merged: true, dtype: "bf16" });
      await without.dispose();
      await mergeLora(other);
      await saveModel(other, merged.target);
      const [got, want, rounded] = [await tensorsOf(whole.files()), await tensorsOf(merged.files()), await tensorsOf(halves.files())];
      expect([...got.keys()]).toEqual([...want.keys()]);
      for (const [name, values] of want) {
        expect(difference(got.get(name)!, values).share, name).toBeLessThan(1e-6);
        expect(rounded.get(name), name).toEqual(toFloat32(fromFloat32(got.get(name)!, "BF16"), "BF16"));
      }
      expect(await tensorsOf(early.files())).not.toEqual(got);
      expect(Object.keys(whole.files())).not.toContain("adapter_config.json");

      const again = await Llava.load(whole.files(), { adapter: found.name });
      expect(difference(await logits(again), await logits(llava)).share).toBeLessThan(1e-5);
      for (const options of [{ merge: true }, { merged: 1 }, { dtype: "int3" }, { signal: 3 }, null]) {
        await expect(trainer.save(memory().target, options as never)).rejects.toBeInstanceOf(OptionError);
      }
      await expect(saveLora(llava, memory().target, { merged: true } as never)).rejects.toThrow("expected only dtype, signal");
      for (const one of [trainer, llava, other, again]) await one.dispose();
    });

    it("is saved as peft has it and loaded back bit by bit, with a projector that learnt", async () => {
      const llava = await load();
      await loadLora(llava, initial);
      const trainer = await Trainer.create(llava, { trainable: ["projector"], learningRate: 1e-3, lora: "loaded" });
      for (let i = 0; i < 2; i++) await trainer.step(batch);
      const saved = memory();
      await trainer.save(saved.target);
      const files = saved.files();
      expect(Object.keys(files).toSorted()).toEqual(["adapter_config.json", "adapter_model.safetensors", "non_lora_trainables.safetensors"]);
      const config = JSON.parse(await files["adapter_config.json"]!.text());
      expect(config).toMatchObject({ peft_type: "LORA", r: 4, lora_alpha: 8, lora_dropout: 0, rank_pattern: {}, alpha_pattern: {}, bias: "none" });
      const theirs = await readTensors(`${initial}/adapter_model.safetensors`);
      const learning = trainer.slots.map(({ foreignName }) => foreignName);
      expect(learning.filter((name) => name.includes("lora")).toSorted()).toEqual([...theirs.keys()].toSorted());
      const modules = [...theirs.keys()].map((name) => name.replace(/^base_model\.model\.|\.lora_[AB]\.weight$/g, ""));
      expect(new Set(config.target_modules)).toEqual(new Set(modules));

      const again = await load();
      await loadLora(again, files);
      const next = await Trainer.create(again, { trainable: ["projector"], learningRate: 1e-3, lora: "loaded" });
      expect(await next.parameters()).toEqual(await trainer.parameters());
      expect(await logits(again)).toEqual(await logits(llava));
      for (const one of [trainer, next, llava, again]) await one.dispose();
    });

    it("understands the names of LLaVA's own adapters", async () => {
      const llava = await load();
      const tensors = [...(await readTensors(`${initial}/adapter_model.safetensors`))].map(([name, { shape, data }]) => {
        const own = name.replace("model.language_model.layers", "model.layers");
        return { name: own, dtype: "F32" as const, shape, data: fromFloat32(data, "F32") };
      });
      const sink = blobSink();
      await writeSafetensors(sink, tensors);
      await loadLora(llava, { ...initialFiles(), "adapter_model.safetensors": sink.blob() });
      expect(adaptersOf(llava.parts.loaded)).toHaveLength(14);
      expect(adaptersOf(llava.parts.loaded)[0]!.module).toBe("model.language_model.layers.0.self_attn.q_proj");
      await llava.dispose();
    });

    it("resumes with the same dropout, bit by bit", async () => {
      const options = { trainable: [], learningRate: 1e-2, lora: { rank: 2, dropout: 0.2, targets: ["q_proj", "down_proj"], seed: 5 } };
      const [first, second] = [await load(), await load()];
      const trainer = await Trainer.create(first, options);
      const losses = [(await trainer.step(batch)).loss, (await trainer.step(batch)).loss];
      expect(losses[1]).not.toBe(losses[0]);
      const saved = memory();
      await trainer.checkpoint(saved.target);
      const resumed = await Trainer.resume(second, saved.files(), options);
      expect(await resumed.step(batch)).toEqual(await trainer.step(batch));
      expect(await resumed.parameters()).toEqual(await trainer.parameters());
      expect(await resumed.scores(batch)).toEqual(await resumed.scores(batch));
      for (const one of [trainer, resumed, first, second]) await one.dispose();
    });

    it("refuses files that do not fit, and leaves the model as it was", async () => {
      const llava = await load();
      const files = initialFiles();
      const config = JSON.parse(await files["adapter_config.json"]!.text());
      const withConfig = (change: object) => ({ ...files, "adapter_config.json": new Blob([JSON.stringify({ ...config, ...change })]) });
      const wrong: Record<string, Blob>[] = [
        { "adapter_config.json": files["adapter_config.json"]! },
        ...[{ peft_type: "IA3" }, { use_dora: true }, { bias: "all" }, { lora_alpha: "8" }, { modules_to_save: ["lm_head"] }].map(withConfig),
        ...[{ alpha_pattern: { "(a+)+$": 1 } }, { lora_dropout: 2 }, { fan_in_fan_out: true }].map(withConfig),
      ];
      for (const one of wrong) await expect(loadLora(llava, one)).rejects.toBeInstanceOf(WeightError);
      await expect(saveLora(llava, memory().target)).rejects.toBeInstanceOf(OptionError);

      const other = await Llava.load(goldenPath("training/model/llava_next"), { adapter: found.name });
      await expect(loadLora(other, files)).rejects.toThrow(/expected \[4, \d+\], got \[4, \d+\]/);
      await other.dispose();

      const bytes = new Uint8Array(await files["adapter_model.safetensors"]!.arrayBuffer());
      const mutation = fc.array(fc.tuple(fc.nat(4000), fc.nat(255)), { minLength: 1, maxLength: 4 });
      await fc.assert(
        fc.asyncProperty(mutation, fc.nat(bytes.length), async (changes, length) => {
          const broken = bytes.slice(0, length % 3 === 0 ? length : bytes.length);
          for (const [at, value] of changes) broken[at % Math.max(1, broken.length)] = value;
          const error = await loadLora(llava, { ...files, "adapter_model.safetensors": new Blob([broken]) }).catch((reason: unknown) => reason);
          if (error !== undefined) expect(error).toBeInstanceOf(LlavaError);
          else removeLora(llava);
        }),
        { numRuns: 60, seed: 11 },
      );
      expect(adaptersOf(llava.parts.loaded)).toEqual([]);
      await loadLora(llava, files);
      await llava.dispose();
    });

    it("says of a folder of adapters that it is no model", async () => {
      const files = initialFiles();
      const base = JSON.parse(await files["adapter_config.json"]!.text()).base_model_name_or_path;
      const named = { ...files, "adapter_config.json": new Blob([JSON.stringify({ base_model_name_or_path: "llava-hf/llava-1.5-7b-hf" })]) };
      const advice = "expected a whole model (config.json), got adapters (adapter_config.json); load the base model";
      await expect(Llava.load(files, { adapter: found.name })).rejects.toThrow(base ? `${advice}, ${base},` : `${advice} and`);
      await expect(Llava.load(named, { adapter: found.name })).rejects.toThrow(`${advice}, llava-hf/llava-1.5-7b-hf, and call loadLora`);
      await expect(Llava.load({ ...files, "config.json": new Blob(["{"]) }, { adapter: found.name })).rejects.toThrow("config.json of the chosen files is not valid JSON");
    });
  });
}

describe("parseAdapterConfig", () => {
  const plain = { peft_type: "LORA", lora_alpha: 8 };

  it("scales by alpha / rank, alpha / sqrt(rank) if rank-stabilised, and by a module's own alpha", () => {
    expect(parseAdapterConfig(plain, "f").scale("model.q_proj", 4)).toBe(2);
    expect(parseAdapterConfig({ ...plain, use_rslora: true }, "f").scale("model.q_proj", 4)).toBe(4);
    const { scale } = parseAdapterConfig({ ...plain, alpha_pattern: { "layers.1.q_proj": 12 } }, "f");
    expect([scale("model.layers.1.q_proj", 4), scale("model.layers.11.q_proj", 4)]).toEqual([3, 2]);
  });

  it("gives a result or a WeightError for any JSON", () => {
    const value = fc.jsonValue();
    const config = fc.record({ lora_alpha: fc.oneof(fc.constant(8), value), lora_dropout: value, alpha_pattern: value, modules_to_save: value });
    fc.assert(
      fc.property(fc.oneof(value, config.map((fields) => ({ ...fields, peft_type: "LORA" }))), (any) => {
        try {
          expect(parseAdapterConfig(any, "f").scale("model.q_proj", 4)).toEqual(expect.any(Number));
        } catch (error) {
          expect(error).toBeInstanceOf(WeightError);
        }
      }),
      { numRuns: 300, seed: 12 },
    );
  });
});
