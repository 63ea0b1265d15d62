/** Recipes: whole runs, their resumption, and all that can be wrong with them. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { afterAll, describe, expect, it } from "vitest";
import { GpuMemoryError, Llava } from "../../src/index.ts";
import {
  checkRecipe, collate, DataError, DivergedError, EmptyBatchError, loadLora, type Recipe, RecipeError, type RecipeProgress, type RecipeStage, ResumeError,
  runRecipe, SampleError, Trainer,
} from "../../src/train/index.ts";
import { isMuonSlot } from "../../src/train/muon.ts";
import { WeightError } from "../../weights/index.ts";
import { testAdapters } from "../harness/adapters.ts";
import { expectTrouble } from "../harness/checkpoints.ts";
import { difference } from "../harness/difference.ts";
import { goldenPath } from "../harness/golden.ts";
import { readTensors } from "../harness/training.ts";

const root = mkdtempSync(join(tmpdir(), "llava-recipe-"));
afterAll(() => rmSync(root, { recursive: true }));
const [found] = await testAdapters();
const adapter = found!.name;

/** Eight squares of four colours. */
const colours = { red: [220, 30, 30], green: [30, 180, 40], blue: [30, 40, 220], white: [250, 250, 250] };
mkdirSync(join(root, "pictures"));
const samples = Object.entries(colours).flatMap(([name, colour]) => [0, 1].map((shade) => {
  const image = `${name}${shade}.png`;
  const data = Uint8Array.from({ length: 15 * 15 * 3 }, (_, i) => colour[i % 3]! - 9 * shade);
  writeFileSync(join(root, "pictures", image), encode({ width: 15, height: 15, channels: 3, data }));
  return { id: `${name} ${shade}`, image, conversations: [{ from: "human", value: "<image>\nWhat colour?" }, { from: "gpt", value: name }] };
}));
const write = (name: string, value: unknown): string => {
  writeFileSync(join(root, name), typeof value === "string" ? value : JSON.stringify(value));
  return join(root, name);
};
const data = write("data.json", samples);

const stage: RecipeStage = { trainable: ["projector"], learningRate: 1e-2, steps: 3, batchSize: 2 };
const recipe = (output: string, changed: Partial<Recipe> = {}): Recipe => ({
  model: goldenPath("training/model/llava"),
  data,
  imageFolder: join(root, "pictures"),
  template: "v1",
  system: "",
  stages: [stage, { ...stage, name: "both", trainable: ["projector", "language"], steps: 4, accumulate: 2, optimizer: { kind: "muon", weightDecay: 0.1 } }],
  evaluation: { every: 2, data, samples: 4, questions: 1, maxNewTokens: 2 },
  output: join(root, output),
  checkpointEvery: 2,
  seed: 5,
  ...changed,
});
const linesOf = (output: string) => readFileSync(join(root, output, "log.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line));

describe(`runRecipe on ${adapter}`, () => {
  it("an interrupted and resumed run equals a whole one, line by line and weight by weight", async () => {
    const events: RecipeProgress[] = [];
    const whole = await runRecipe(recipe("whole"), { adapter, onProgress: (event) => events.push(event) });
    expect(whole.finished).toBe(true);
    expect(events.filter(({ kind }) => kind === "step")).toHaveLength(7);
    expect(events.at(-1)).toMatchObject({ kind: "evaluation", stage: "both", step: 4, questions: 1 });
    expect(events.find(({ kind }) => kind === "memory")).toMatchObject({ memory: { total: expect.any(Number) } });
    expect(readFileSync(whole.curve, "utf8")).toMatch(/^<svg [\s\S]*both[\s\S]*<\/svg>\n$/);

    // Interrupted in both stages.
    for (const [at, resume] of [[2, false], [5, true]] as const) {
      const stop = new AbortController();
      let seen = 0;
      const onProgress = ({ kind }: RecipeProgress) => {
        if (kind === "step" && (resume ? 2 : 0) + ++seen === at) stop.abort();
      };
      expect(await runRecipe(recipe("parts"), { adapter, signal: stop.signal, resume, onProgress })).toMatchObject({ finished: false });
    }
    // In less memory from here on.
    const lean = recipe("parts").stages.map((one) => ({ ...one, recompute: "layer" as const }));
    expect(await runRecipe(recipe("parts", { stages: lean }), { adapter, resume: true })).toMatchObject({ finished: true });
    expect(linesOf("parts")).toEqual(linesOf("whole"));
    const [one, other] = await Promise.all(["whole", "parts"].map((name) => readTensors(join(root, name, "model/model.safetensors"))));
    expect(other).toEqual(one);

    // A finished run can be asked to go on: nothing changes. It is not overwritten by accident.
    expect(await runRecipe(recipe("whole"), { adapter, resume: true })).toMatchObject({ finished: true });
    expect(linesOf("whole")).toEqual(linesOf("parts"));
    await expectTrouble(runRecipe(recipe("whole"), { adapter }), RecipeError, /output: .* holds the checkpoint of a run: resume it/);
    await expectTrouble(runRecipe(recipe("whole", { seed: 6 }), { adapter, resume: true }), ResumeError, /seed: expected 5, .* got 6/);
    const another = [{ ...stage, learningRate: 1 }, recipe("").stages[1]!];
    await expectTrouble(runRecipe(recipe("whole", { stages: another }), { adapter, resume: true }), ResumeError, /stages\.0\.learningRate: expected 0\.01, .* got 1;/);
  });

  it("stops when the loss is no number, names step and samples, and keeps the last checkpoint", async () => {
    const wild = recipe("diverged", { stages: [{ ...stage, steps: 9, learningRate: 1e30, schedule: { kind: "constant" } }], checkpointEvery: 1, evaluation: undefined });
    const error = (await expectTrouble(runRecipe(wild, { adapter }), DivergedError, /step \d: the .* is (NaN|-?Infinity) \(samples \w+ \d, \w+ \d\)/)) as DivergedError;
    expect(error.sampleIds).toHaveLength(2);
    // Lines and checkpoints count steps that are done.
    expect(error.message).toContain(`step ${error.step}: `);
    expect(linesOf("diverged").at(-1)).toMatchObject({ step: error.step - 1, error: error.message });
    const llava = await Llava.load(wild.model, { adapter });
    const settings = { trainable: ["projector"], learningRate: 1e30, schedule: { kind: "constant", steps: 9 } } as const;
    const trainer = await Trainer.resume(llava, join(wild.output, "checkpoint"), settings);
    expect(trainer.stepCount).toBe(error.step - 1);
    await trainer.dispose();
    await llava.dispose();
  });

  it("goes on with the adapters of an earlier stage", async () => {
    const stages: RecipeStage[] = [{ ...stage, trainable: [], lora: { rank: 2 }, steps: 2 }, stage, { ...stage, trainable: [], lora: "loaded", steps: 2 }];
    const changed = { stages, evaluation: undefined };
    const { log: _log, ...whole } = await runRecipe(recipe("adapters", changed), { adapter });
    for (const at of [3, 6]) {
      const stop = new AbortController();
      let seen = at === 3 ? 0 : 3;
      const onProgress = ({ kind }: RecipeProgress) => {
        if (kind === "step" && ++seen === at) stop.abort();
      };
      await runRecipe(recipe("adapters in parts", changed), { adapter, signal: stop.signal, resume: at !== 3, onProgress });
    }
    const parts = await runRecipe(recipe("adapters in parts", changed), { adapter, resume: true });
    expect(linesOf("adapters in parts")).toEqual(linesOf("adapters"));
    for (const file of ["adapter_model.safetensors", "non_lora_trainables.safetensors"]) {
      const [one, other] = await Promise.all([whole, parts].map(({ model }) => readTensors(join(model, file))));
      expect(other).toEqual(one);
    }
  });

  it("finds what is wrong with a later stage before the first one, which can be corrected until it begins", async () => {
    const steps: RecipeProgress[] = [];
    const onProgress = (event: RecipeProgress) => event.kind === "step" && steps.push(event);
    const wrong = (later: Partial<RecipeStage>) => recipe("later", { stages: [stage, { ...stage, ...later }], evaluation: undefined });
    await expectTrouble(runRecipe(wrong({ trainable: ["projektor"] }), { adapter, onProgress }), RecipeError, /stages\[1\]\.trainable: expected parts .* got "projektor"/);
    await expectTrouble(runRecipe(wrong({ lora: { rank: 2, targets: ["kv_proj"] } }), { adapter, onProgress }), RecipeError, /stages\[1\]\.lora\.targets: .* got "kv_proj"/);
    expect(steps).toEqual([]);

    const stop = new AbortController();
    const atFirst = (event: RecipeProgress) => event.kind === "step" && stop.abort();
    await runRecipe(wrong({ learningRate: 5 }), { adapter, signal: stop.signal, onProgress: atFirst });
    const result = await runRecipe(wrong({ learningRate: 1e-3 }), { adapter, resume: true });
    expect(result.finished).toBe(true);
    expect(linesOf("later").filter((line) => line.stage === 1).map((line) => line.learningRates.projector)).toEqual(expect.arrayContaining([1e-3]));
  });

  it("evaluates without bad samples if these are skipped, and leaves a checkpoint when it cannot", async () => {
    const lost = { ...samples[0]!, id: "lost", image: "lost.png" };
    const events: RecipeProgress[] = [];
    const heldOut = write("held-out.json", [lost, samples[1], samples[2], lost]);
    const evaluation = { every: 1, data: heldOut, samples: 4, questions: 3, maxNewTokens: 2 };
    const skipping = recipe("evaluated", { stages: [{ ...stage, steps: 2 }], onBadSample: "skip", evaluation });
    const { evaluation: found } = await runRecipe(skipping, { adapter, onProgress: (event) => events.push(event) });
    expect(found).toMatchObject({ questions: 2, loss: expect.any(Number) });
    expect(events.filter(({ kind }) => kind === "skipped")).toEqual([{ kind: "skipped", message: expect.stringMatching(/^held-out sample lost, image/) }]);

    const failing = recipe("not evaluated", { stages: [{ ...stage, steps: 5 }], evaluation: { ...evaluation, every: 3 }, checkpointEvery: 100 });
    await expectTrouble(runRecipe(failing, { adapter }), SampleError, /sample lost, image/);
    expect(linesOf("not evaluated").at(-1)).toMatchObject({ step: 3, error: expect.stringContaining("sample lost") });
    const none = recipe("none usable", { stages: [stage], onBadSample: "skip", evaluation: { ...evaluation, data: write("bad.json", [lost, lost]) } });
    await expectTrouble(runRecipe(none, { adapter }), EmptyBatchError, /expected at least one usable sample, got 2 of which none is; the last one: sample lost/);
    // Corrected, it goes on behind its last step.
    const after: RecipeProgress[] = [];
    await runRecipe({ ...failing, evaluation: { ...failing.evaluation!, data } }, { adapter, resume: true, onProgress: (event) => event.kind === "step" && after.push(event) });
    expect(after).toMatchObject([{ step: 4 }, { step: 5 }]);
  });

  it("writes adapters alone, or on demand merged into a whole model", async () => {
    const lora = (merged?: boolean) => recipe("lora", { stages: [stage, { ...stage, lora: { rank: 2 } }], evaluation: undefined, ...(merged === undefined ? {} : { merged }) });
    const alone = await runRecipe(lora(), { adapter });
    expect(alone).toMatchObject({ finished: true, adapters: true });
    expect(readdirSync(alone.model).toSorted()).toEqual(["adapter_config.json", "adapter_model.safetensors", "non_lora_trainables.safetensors"]);
    await expectTrouble(Llava.load(alone.model, { adapter }), WeightError, /model: expected a whole model .* load the base model, .*training\/model\/llava, and call loadLora/);

    // Both in one folder would be taken for adapters.
    await expectTrouble(runRecipe(lora(true), { adapter, resume: true }), RecipeError, /merged: .*model holds adapters alone, .*: move it away/);
    const away = join(root, "lora/away");
    renameSync(alone.model, away);
    expect(await runRecipe(lora(true), { adapter, resume: true })).toMatchObject({ finished: true, adapters: false });
    const whole = await Llava.load(alone.model, { adapter });
    const beside = await Llava.load(goldenPath("training/model/llava"), { adapter });
    await loadLora(beside, away);
    const request = { images: [join(root, "pictures", "red0.png")], prompt: "<image>What colour?", template: "none" } as const;
    const [one, other] = [await whole.forward(request), await beside.forward(request)];
    expect(difference(one.logits.data, other.logits.data).share).toBeLessThan(1e-5);
    await whole.dispose();
    await beside.dispose();
  });

  it("tells of empty data, bad samples, missing pictures, a model that is not there, and settings that do not fit it", async () => {
    const run = (changed: Partial<Recipe>) => runRecipe(recipe("bad", changed), { adapter });
    await expectTrouble(run({ data: write("empty.json", []) }), DataError, /expected at least one sample, got none/);
    await expectTrouble(run({ data: write("text.json", "no json") }), DataError, /text\.json/);
    await expectTrouble(run({ data: join(root, "nowhere.json") }), WeightError, /nowhere\.json/);
    await expectTrouble(run({ model: join(root, "nowhere") }), WeightError, /there is no folder/);
    const byGlob = { ...stage, trainable: ["**.q_proj.weight"], learningRate: { projector: 1 } };
    await expectTrouble(run({ stages: [byGlob] }), RecipeError, /stages\[0\]\.learningRate\.language: expected a rate/);
    const warm = { ...stage, steps: undefined, epochs: 1, schedule: { kind: "cosine", warmupSteps: 9 } } as const;
    await expectTrouble(run({ stages: [warm] }), RecipeError, /stages\[0\]\.schedule\.warmupSteps: expected at most 4, .* got 9/);
    const silent = { ...samples[0]!, id: "silent", conversations: [samples[0]!.conversations[0], { from: "gpt", value: "" }] };
    await expectTrouble(run({ data: write("silent.json", [silent]) }), SampleError, /sample silent, conversations: expected something to learn, got none/);
    const lost = { ...samples[0]!, id: "lost", image: "lost.png" };
    await expectTrouble(run({ data: write("lost.json", [lost]) }), SampleError, /sample lost, image: .*lost\.png/);
    const events: RecipeProgress[] = [];
    const mixed = recipe("skipped", { data: write("mixed.json", [...samples, lost]), onBadSample: "skip", evaluation: undefined, stages: [{ ...stage, epochs: 1, steps: undefined }] });
    await runRecipe(mixed, { adapter, onProgress: (event) => events.push(event) });
    expect(events.filter(({ kind }) => kind === "skipped")).toEqual([{ kind: "skipped", message: expect.stringContaining("sample lost") }]);
  });
});

describe("the memory plan", () => {
  it("agrees with what is allocated, and says how many samples fit an adapter's limit", async () => {
    const llava = await Llava.load(goldenPath("training/model/llava"), { adapter });
    const trainer = await Trainer.create(llava, { trainable: ["projector", "language"], learningRate: 1e-3 });
    const raw = samples.map(({ image, ...sample }) => ({ ...sample, image: join(root, "pictures", image) }));
    const batch = await collate(raw as never, llava, { template: "v1", system: "" });
    const { gpu } = llava.parts.loaded;
    const plan = await trainer.memory(batch);
    await trainer.step(batch);
    const { parameters, gradients, optimizer, activations, inference, total } = plan;
    expect(parameters + gradients + optimizer + activations + inference).toBe(total);
    expect(gpu.allocated).toBe(total);
    expect((await trainer.memory(batch)).total).toBe(total);

    const small = { ...gpu.limits, maxStorageBufferBindingSize: 100_000, maxBufferSize: gpu.limits.maxBufferSize };
    Object.defineProperty(gpu, "limits", { value: small });
    const wide = await collate([...raw, ...raw] as never, llava, { template: "v1", system: "" });
    const error = await expectTrouble(trainer.step(wide), GpuMemoryError, /batch: 16 samples need \d+ bytes .*; \d+ of them fit: lower the batch size/);
    const fitting = Number(/(\d+) of them fit/.exec(error.message)![1]);
    expect(fitting).toBeGreaterThan(0);
    const part = async (count: number) => trainer.step(await collate([...raw, ...raw].slice(0, count) as never, llava, { template: "v1", system: "" }));
    await part(fitting);
    await expect(part(fitting + 1)).rejects.toThrow(GpuMemoryError);
    await trainer.dispose();
    await llava.dispose();
  });
});

describe("the memory plan with Muon", () => {
  it("agrees with what is allocated, and counts one moment for a matrix", async () => {
    const llava = await Llava.load(goldenPath("training/model/llava"), { adapter });
    const adamW = await Trainer.create(llava, { trainable: ["projector", "language"], learningRate: 1e-3 });
    const batch = await collate([{ id: "short", conversations: [{ from: "human", value: "?" }, { from: "gpt", value: "a" }] }], llava, { template: "v1", system: "" });
    const both = (await adamW.memory(batch)).optimizer;
    await adamW.dispose();
    const trainer = await Trainer.create(llava, { trainable: ["projector", "language"], learningRate: 1e-3, optimizer: { kind: "muon" } });
    const plan = await trainer.memory(batch);
    await trainer.step(batch);
    expect(llava.parts.loaded.gpu.allocated).toBe(plan.total);
    expect((await trainer.memory(batch)).total).toBe(plan.total);
    const matrices = trainer.slots.filter(isMuonSlot).reduce((sum, { count }) => sum + count, 0);
    expect(plan.optimizer).toBe(both - 4 * matrices);
    await trainer.dispose();
    await llava.dispose();
  });
});

describe("checkRecipe", () => {
  const whole = recipe("checked");
  const [first] = whole.stages;
  const withStage = (changed: object) => ({ ...whole, stages: [{ ...first, ...changed }] });

  it.each<[string, unknown, RegExp]>([
    ["no object", 7, /all of it: expected an object, got 7/],
    ["an unknown field", { ...whole, sede: 1 }, /recipe: sede: there is no such field; expected one of .*seed/],
    ["an unknown field of a stage", withStage({ learnigRate: 1 }), /stages\[0\]\.learnigRate: there is no such field/],
    ["no stage", { ...whole, stages: [] }, /stages: expected a list of at least one stage, got \[\]/],
    ["no output", { ...whole, output: undefined }, /output: expected a text, got nothing/],
    ["no data", { ...whole, data: undefined }, /data: expected the path of a file/],
    ["an empty list of files", { ...whole, data: [] }, /data: expected the path of a file .* got \[\]/],
    ["no template", { ...whole, template: undefined }, /stages\[0\]\.template: expected one of plain/],
    ["an unknown template", { ...whole, template: "v9" }, /recipe: template: expected one of plain, .* got "v9"/],
    ["an unknown placement of a stage", withStage({ placement: "behind" }), /stages\[0\]\.placement: expected one of front/],
    ["neither steps nor epochs", withStage({ steps: undefined }), /stages\[0\]\.steps: expected either epochs or steps, got neither/],
    ["both steps and epochs", withStage({ epochs: 1 }), /stages\[0\]\.steps: expected either epochs or steps, got both/],
    ["no epochs at all", withStage({ steps: undefined, epochs: 0 }), /stages\[0\]\.epochs: expected a number above 0, got 0/],
    ["half a step", withStage({ steps: 1.5 }), /stages\[0\]\.steps: expected a whole number/],
    ["half a worker", { ...whole, workers: 0.5 }, /recipe: workers: expected a whole number of at least 0, got 0\.5/],
    ["half a merge", { ...withStage({ lora: { rank: 2 } }), merged: 1 }, /recipe: merged: expected true or false, got 1/],
    ["nothing to merge", { ...whole, merged: true }, /recipe: merged: expected a stage with lora, got none; leave it out/],
    ["an empty batch", withStage({ batchSize: 0 }), /stages\[0\]\.batchSize: expected a whole number of at least 1, got 0/],
    ["nothing that learns", withStage({ trainable: [] }), /stages\[0\]\.trainable: expected a list of parts or globs/],
    ["a negative rate", withStage({ learningRate: -1 }), /stages\[0\]\.learningRate: expected a number of at least 0.* got -1/],
    ["an unknown schedule", withStage({ schedule: { kind: "step" } }), /stages\[0\]\.schedule\.kind: expected "cosine", .* got "step"/],
    ["two warm-ups", withStage({ schedule: { kind: "cosine", warmupRatio: 0.1, warmupSteps: 3 } }), /schedule: expected either warmupRatio or warmupSteps, got "both"/],
    ["a longer warm-up than the stage", withStage({ schedule: { kind: "cosine", warmupSteps: 4 } }), /stages\[0\]\.schedule\.warmupSteps: expected at most 3, .* got 4/],
    ["a number among what learns", withStage({ trainable: [3] }), /stages\[0\]\.trainable: expected a list of parts or globs .* got \[3\]/],
    ["no list of what learns", withStage({ trainable: undefined }), /stages\[0\]\.trainable: expected a list of parts or globs/],
    ["a rate of an unknown part", withStage({ learningRate: { projektor: 1 } }), /stages\[0\]\.learningRate: expected only vision, projector, language, got "projektor"/],
    ["a part that learns without a rate", withStage({ learningRate: { language: 1 } }), /stages\[0\]\.learningRate\.projector: expected a rate, .* got nothing/],
    ["an unknown setting of adapters", withStage({ lora: { rank: 2, ranks: 2 } }), /stages\[0\]\.lora: expected only rank, .* got "ranks"/],
    ["a number for adapters", withStage({ lora: 5 }), /stages\[0\]\.lora: expected an object, got 5/],
    ["null for adapters", withStage({ lora: null }), /stages\[0\]\.lora: expected an object, got null/],
    ["a norm below 0", withStage({ maxGradientNorm: -1 }), /stages\[0\]\.maxGradientNorm: expected a number of at least 0, got -1/],
    ["steps of a schedule", withStage({ schedule: { kind: "cosine", steps: 3 } }), /stages\[0\]\.schedule\.steps: there is no such field/],
    ["an unknown order", withStage({ order: "random" }), /stages\[0\]\.order: expected one of shuffle/],
    ["a beta of 1", withStage({ optimizer: { betas: [0.9, 1] } }), /stages\[0\]\.optimizer\.betas: expected two numbers/],
    ["an unknown optimizer", withStage({ optimizer: { kind: "sgd" } }), /stages\[0\]\.optimizer\.kind: expected "adamw" or "muon", got "sgd"/],
    ["momentum of AdamW", withStage({ optimizer: { momentum: 0.9 } }), /stages\[0\]\.optimizer\.momentum: expected nothing but with kind "muon", got 0\.9/],
    ["an unknown setting of the optimizer", withStage({ optimizer: { beta: 0.9 } }), /stages\[0\]\.optimizer\.beta: there is no such field; expected one of kind/],
    ["an unknown normalisation", withStage({ normalise: "samples" }), /stages\[0\]\.normalise: expected "tokens" or "microbatch", got "samples"/],
    ["an unknown recomputation", withStage({ recompute: "block" }), /stages\[0\]\.recompute: expected "none" or "layer", got "block"/],
    ["adapters that nothing added", withStage({ lora: "loaded" }), /stages\[0\]\.lora: expected rank and so on, since no earlier stage/],
    ["adapters twice", { ...whole, stages: [{ ...first, lora: { rank: 2 } }, first, { ...first, lora: { rank: 4 } }] }, /stages\[2\]\.lora: expected "loaded", .* of stages\[0\]/],
    ["an evaluation without data", { ...whole, evaluation: { every: 3 } }, /evaluation\.data: expected the path/],
    ["an evaluation every 0 steps", { ...whole, evaluation: { every: 0, data } }, /evaluation\.every: expected a whole number/],
    ["a system text for captions", withStage({ template: "plain", system: "Be kind." }), /system: expected none with template "plain"/],
  ])("refuses %s", async (_, value, says) => {
    await expectTrouble((async () => checkRecipe(value))(), RecipeError, says);
  });

  it("takes what is right", () => {
    expect(checkRecipe(whole).stages.map(({ name }) => name)).toEqual(["stage 1", "both"]);
    const { trainable: _trainable, ...rest } = first!;
    for (const one of [{ ...rest, lora: { rank: 2 } }, { ...rest, trainable: ["projector"], steps: undefined, epochs: 2, schedule: { kind: "cosine", warmupSteps: 9 } }]) {
      expect(checkRecipe({ ...whole, stages: [one] }).stages).toHaveLength(1);
    }
  });
});
