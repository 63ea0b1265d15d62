/** Towers learn from labels as they do in PyTorch (computed there in float64), go on after a break, and are saved. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { testAdapters } from "../../test/harness/adapters.ts";
import { expectTrouble } from "../../test/harness/checkpoints.ts";
import { expectClose } from "../../test/harness/close.ts";
import { goldenPath } from "../../test/harness/golden.ts";
import { readTensors } from "../../test/harness/training.ts";
import { OptionError } from "../generate/errors.ts";
import { Llava } from "../index.ts";
import { addLora, BatchError, Random, ResumeError, type TowerOptions, type TowerTarget, TowerTrainer, Trainer } from "./index.ts";

interface TowerGolden {
  readonly heads: Record<string, number>;
  readonly seed: number;
  readonly pictures: number;
  readonly models: Record<string, { targets: TowerTarget[]; losses: Record<string, number>; gradientNorm: number; gradients: string[]; scores: Record<string, number[]> }>;
  readonly curve: {
    options: { steps: number; learningRate: number; weightDecay: number; betas: [number, number]; eps: number; maxGradientNorm: number };
    steps: { targets: TowerTarget[]; losses: Record<string, number>; gradientNorm: number; learningRate: number }[];
    scores: Record<string, number[]>;
  };
}

const golden = JSON.parse(readFileSync(goldenPath("training/tower/tower.json"), "utf8")) as TowerGolden;
const { heads, seed, pictures } = golden;
const adapters = await testAdapters();
const root = mkdtempSync(join(tmpdir(), "llava-tower-"));
afterAll(() => rmSync(root, { recursive: true }));

function pixelsOf(llava: Llava, count = pictures) {
  const { imageSize } = llava.parts.loaded.config.vision!;
  return { shape: [count, 3, imageSize, imageSize], data: new Random(1).normal(count * 3 * imageSize ** 2) };
}

async function expectScores(tower: TowerTrainer, llava: Llava, want: Record<string, number[]>, limit: number) {
  for (const [head, classes] of Object.entries(heads)) {
    const { shape, data } = await tower.scores(pixelsOf(llava), head);
    expect(shape).toEqual([pictures, classes]);
    expectClose(data, want[head]!, limit, head);
  }
}

function expectLosses(got: { loss: number; losses: Record<string, number> }, want: Record<string, number>, limit: number) {
  const order = Object.keys(heads);
  expectClose(order.map((head) => got.losses[head]!), order.map((head) => want[head]!), limit, "losses");
  expect(got.loss).toBeCloseTo(order.reduce((sum, head) => sum + got.losses[head]!, 0), 12);
}

for (const { name: adapter } of adapters) {
  describe(`towers on ${adapter}`, () => {
    for (const [name, want] of Object.entries(golden.models)) {
      it(`${name}: losses, gradients and scores are PyTorch's`, async () => {
        const llava = await Llava.load(goldenPath(`tiny/${name}`), { adapter });
        const tower = await TowerTrainer.create(llava, { heads, learningRate: 1, seed });
        const { gradients, ...losses } = await tower.gradients({ pixels: pixelsOf(llava), targets: want.targets });
        expectLosses(losses, want.losses, 1e-6);
        expect(Object.keys(gradients).toSorted()).toEqual(want.gradients.toSorted());
        const norm = Math.hypot(...Object.values(gradients).map(({ data }) => Math.hypot(...data)));
        expect(norm / want.gradientNorm).toBeCloseTo(1, 5);
        await expectScores(tower, llava, want.scores, 1e-5);
        await tower.dispose();
        await llava.dispose();
      });
    }

    it("every gradient is PyTorch's", async () => {
      const name = "llava-clip-llama";
      const llava = await Llava.load(goldenPath(`tiny/${name}`), { adapter });
      const tower = await TowerTrainer.create(llava, { heads, learningRate: 1, seed });
      const { gradients } = await tower.gradients({ pixels: pixelsOf(llava), targets: golden.models[name]!.targets });
      const tensors = await readTensors(goldenPath("training/tower/tower.safetensors"));
      for (const [tensor, { shape, data }] of tensors) {
        expect(gradients[tensor]!.shape, tensor).toEqual(shape);
        // A key's bias moves all scores of a query alike, which softmax does not see: its gradient is rounding alone.
        if (tensor.endsWith("k_proj.bias")) expect(Math.max(...gradients[tensor]!.data.map(Math.abs)), tensor).toBeLessThan(1e-6);
        else expectClose(gradients[tensor]!.data, data, 1e-5, tensor);
      }
      await tower.dispose();
      await llava.dispose();
    });

    it("a curve with decay, clipping, a schedule and steps without one of the heads is PyTorch's", async () => {
      const { options, steps, scores } = golden.curve;
      const { betas, eps, weightDecay, maxGradientNorm, learningRate } = options;
      const llava = await Llava.load(goldenPath("tiny/llava-clip-llama"), { adapter });
      const schedule = { kind: "cosine", steps: options.steps } as const;
      const tower = await TowerTrainer.create(llava, { heads, seed, learningRate, schedule, maxGradientNorm, optimizer: { betas, eps, weightDecay } });
      for (const want of steps) {
        const got = await tower.step({ pixels: pixelsOf(llava), targets: want.targets });
        expectLosses(got, want.losses, 1e-4);
        expect(got.gradientNorm / want.gradientNorm).toBeCloseTo(1, 3);
        expect(got.learningRate).toBeCloseTo(want.learningRate, 12);
      }
      await expectScores(tower, llava, scores, 1e-3);
      await tower.dispose();
      await llava.dispose();
    });
  });
}

const [{ name: adapter }] = adapters as [(typeof adapters)[number]];
const source = goldenPath("tiny/llava-clip-llama");
const options: TowerOptions = { heads: { kind: 8, half: 2 }, learningRate: 3e-3, optimizer: { weightDecay: 0.05 }, schedule: { kind: "cosine", steps: 40 } };
/** Of 8 pictures, each its own kind, and a label for the upper half of the even ones. */
const targets = Array.from({ length: 8 }, (_, picture): TowerTarget[] => [
  { head: "kind", picture, label: picture, weight: 1 / 8 },
  ...(picture % 2 === 0 ? [{ head: "half", picture, patches: [0, 1, 2, 3, 4, 5, 6, 7], label: (picture / 2) % 2, weight: 1 / 4 }] : []),
]).flat();

describe(`pre-training on ${adapter}`, () => {
  it("learns 8 pictures by heart; warm steps make no GPU objects", async () => {
    const llava = await Llava.load(source, { adapter });
    const tower = await TowerTrainer.create(llava, { ...options, learningRate: 1e-2 });
    const pixels = pixelsOf(llava, 8);
    const first = await tower.step({ pixels, targets });
    expect(first.losses.kind! / Math.log(8)).toBeCloseTo(1, 1);
    const made = countObjects(llava);
    for (let i = 1; i < 39; i++) await tower.step({ pixels, targets: targets.slice(0, 10 + (i % 3)) });
    const last = await tower.step({ pixels, targets });
    expect(made()).toEqual([]);
    expect(last.loss).toBeLessThan(0.1 * first.loss);
    const { data } = await tower.scores(pixels, "kind");
    for (let i = 0; i < 8; i++) {
      const row = data.subarray(8 * i, 8 * i + 8);
      expect(row.indexOf(Math.max(...row))).toBe(i);
    }
    await tower.dispose();
    await llava.dispose();
  });

  it("frees all that it allocated", async () => {
    const llava = await Llava.load(source, { adapter });
    const { gpu } = llava.parts.loaded;
    const before = gpu.allocated;
    const tower = await TowerTrainer.create(llava, options);
    await tower.step({ pixels: pixelsOf(llava, 8), targets });
    await tower.scores(pixelsOf(llava, 3), "half");
    await tower.dispose();
    expect(gpu.allocated).toBe(before);
    await llava.dispose();
  });

  it("resumed losses, norms, rates and weights are bit-equal; what an earlier stage trained is there again", async () => {
    const folder = join(root, "run");
    const llava = await Llava.load(source, { adapter });
    const earlier = await Trainer.create(llava, { trainable: ["projector"], learningRate: 0 });
    await earlier.dispose();
    const tower = await TowerTrainer.create(llava, options);
    const batch = { pixels: pixelsOf(llava, 8), targets };
    const onlyKinds = { ...batch, targets: targets.filter(({ head }) => head === "kind") };
    for (const one of [batch, onlyKinds, batch]) await tower.step(one);
    await tower.checkpoint(folder, { data: { epoch: 2 } });
    const go = async (trainer: TowerTrainer) => [await trainer.step(onlyKinds), await trainer.step(batch), await trainer.step(onlyKinds)];
    const whole = await go(tower);
    const values = await tower.parameters();
    await tower.dispose();
    await llava.dispose();

    const fresh = await Llava.load(source, { adapter });
    const resumed = await TowerTrainer.resume(fresh, folder, options);
    expect([resumed.stepCount, resumed.data]).toEqual([3, { epoch: 2 }]);
    expect(await go(resumed)).toEqual(whole);
    expect(await resumed.parameters()).toEqual(values);
    await resumed.dispose();
    await expectTrouble(TowerTrainer.resume(fresh, folder, { ...options, heads: { kind: 8, half: 3 } }), ResumeError, /heads\.half: expected 2, .* got 3/);
    await expectTrouble(Trainer.resume(fresh, folder, { trainable: ["vision"], learningRate: 1 }), ResumeError, /expected .* as the checkpoint was written with/);
    await expectTrouble(TowerTrainer.resume(fresh, source, options), ResumeError, /expected a checkpoint of a training run/);
    await fresh.dispose();
  });

  it("learns and resumes with Muon", async () => {
    const folder = join(root, "muon");
    const muon: TowerOptions = { ...options, learningRate: 1e-2, optimizer: { kind: "muon", adamWRateFactor: 0.5 } };
    const llava = await Llava.load(source, { adapter });
    const tower = await TowerTrainer.create(llava, muon);
    const batch = { pixels: pixelsOf(llava, 8), targets };
    const { loss } = await tower.step(batch);
    for (let i = 0; i < 9; i++) await tower.step(batch);
    await tower.checkpoint(folder);
    const next = await tower.step(batch);
    expect(next.loss).toBeLessThan(0.5 * loss);
    const values = await tower.parameters();
    await tower.dispose();
    await llava.dispose();

    const fresh = await Llava.load(source, { adapter });
    const resumed = await TowerTrainer.resume(fresh, folder, muon);
    expect(await resumed.step(batch)).toEqual(next);
    expect(await resumed.parameters()).toEqual(values);
    await resumed.dispose();
    await fresh.dispose();
  });

  it("saves the model with the trained tower, without heads; a later stage goes on with it", async () => {
    const folder = join(root, "saved");
    const llava = await Llava.load(source, { adapter });
    const tower = await TowerTrainer.create(llava, options);
    const batch = { pixels: pixelsOf(llava, 8), targets };
    await tower.step(batch);
    const values = await tower.parameters();
    await tower.save(folder);
    await tower.dispose();
    const picture = { width: 24, height: 24, data: new Uint8Array(24 * 24 * 3).map((_, i) => i % 251) };
    const request = { prompt: "<image>what is it", images: [picture], template: "none" } as const;
    const { logits } = await llava.forward(request);
    const later = await Trainer.create(llava, { trainable: ["projector"], learningRate: 0 });
    await later.save(join(root, "later"));
    await later.dispose();
    await llava.dispose();

    const [before, after, laterOn] = await Promise.all([source, folder, join(root, "later")].map((path) => readTensors(join(path, "model.safetensors"))));
    expect([...after!.keys()]).toEqual([...before!.keys()]);
    expect(laterOn).toEqual(after);
    for (const [name, tensor] of after!) expect(tensor, name).toEqual(values[name] ?? before!.get(name));
    const learnt = Object.keys(values).filter((name) => !name.startsWith("pretraining."));
    expect(learnt.filter((name) => before!.get(name)!.data.some((value, i) => value !== after!.get(name)!.data[i]))).toEqual(learnt);

    const saved = await Llava.load(folder, { adapter });
    expect((await saved.forward(request)).logits.data).toEqual(logits.data);
    await saved.dispose();
  });

  it("trains the tower of a model that was loaded in half precision", async () => {
    const llava = await Llava.load(goldenPath("tiny/llava-clip-llama-shards-bfloat16"), { adapter });
    const tower = await TowerTrainer.create(llava, options);
    const batch = { pixels: pixelsOf(llava, 8), targets };
    const { loss } = await tower.step(batch);
    for (let i = 0; i < 4; i++) await tower.step(batch);
    expect((await tower.gradients(batch)).loss).toBeLessThan(loss);
    await tower.dispose();
    await llava.dispose();
  });

  it("refuses settings, heads and batches that cannot be, and goes on after that", async () => {
    const llava = await Llava.load(source, { adapter });
    const create = (changed: object) => TowerTrainer.create(llava, { ...options, ...changed });
    await expectTrouble(create({ heads: {} }), OptionError, /^heads: expected an object with a number of classes by name/);
    await expectTrouble(create({ heads: { kind: 1 } }), OptionError, /^heads\.kind: expected a number of classes of at least 2, got 1/);
    await expectTrouble(create({ heads: { "a b": 3 } }), OptionError, /^heads: expected names of letters, digits and underscores, got "a b"/);
    await expectTrouble(create({ learningRate: { vision: 1 } }), OptionError, /^learningRate: expected a number of at least 0/);
    await expectTrouble(create({ learningRates: 1 }), OptionError, /^options: expected only heads, learningRate/);
    await expectTrouble(create({ seed: 0.5 }), OptionError, /^seed: expected an integer, got 0.5/);
    await expectTrouble(create({ maxGradientNorm: -1 }), OptionError, /^maxGradientNorm: expected a number of at least 0/);

    const tower = await create({});
    const pixels = pixelsOf(llava, 8);
    await expectTrouble(tower.step({ pixels, targets: [] }), BatchError, /^targets: expected at least one/);
    await expectTrouble(tower.step({ pixels, targets: [{ ...targets[0]!, label: 8 }] }), BatchError, /label: expected an integer from 0 to 7/);
    await expectTrouble(tower.scores(pixels, "colour"), OptionError, /^head: expected one of kind, half, got "colour"/);
    await expectTrouble(tower.scores({ shape: [8, 3, 23, 24], data: pixels.data }, "kind"), BatchError, /^pixels: expected shape \[B, 3, 24, 24\]/);
    expect(tower.stepCount).toBe(0);
    await tower.step({ pixels, targets });
    expect(tower.stepCount).toBe(1);
    await tower.dispose();

    await addLora(llava, { rank: 2 });
    await expectTrouble(create({}), OptionError, /^tower: expected a model without adapters/);
    await llava.dispose();
    const blind = await Llava.load(goldenPath("tiny/decoder-llama"), { adapter });
    await expectTrouble(TowerTrainer.create(blind, options), OptionError, /^tower: expected a model with a vision tower, got "one without"/);
    await blind.dispose();
  });
});

/** Counts the GPU objects that are made from now on, but command encoders, which every submission needs. */
function countObjects(llava: Llava): () => string[] {
  const { device } = llava.parts.loaded.gpu;
  const made: string[] = [];
  for (const name of ["createBuffer", "createBindGroup", "createComputePipeline", "createComputePipelineAsync", "createShaderModule"] as const) {
    const original = device[name].bind(device) as (descriptor: never) => never;
    Object.defineProperty(device, name, {
      configurable: true,
      value: (descriptor: never) => {
        made.push(name);
        return original(descriptor);
      },
    });
  }
  return () => made;
}
