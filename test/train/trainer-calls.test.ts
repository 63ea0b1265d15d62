/** Calls of a trainer that meet: each waits for those before it, and the last one is `dispose`. Calls that ask for what cannot be. */
import { expect, it } from "vitest";
import { Llava, OptionError } from "../../src/index.ts";
import { BatchError, TowerTrainer, Trainer, type TrainerOptions, type TrainingBatch } from "../../src/train/index.ts";
import { DisposedError } from "../../src/turns.ts";
import { testAdapters } from "../harness/adapters.ts";
import { expectTrouble } from "../harness/checkpoints.ts";
import { goldenPath } from "../harness/golden.ts";
import { batchOf, readTensors } from "../harness/training.ts";

const stored = await readTensors(goldenPath("training/curves/batches.safetensors"));
const batch = batchOf(stored, `${[...stored.keys()][0]!.split("/")[0]!}/`);
const options: TrainerOptions = { trainable: ["projector"], learningRate: 1e-2 };
const [found] = await testAdapters();

async function train<T>(take: (trainer: Trainer) => Promise<T>): Promise<T> {
  const llava = await Llava.load(goldenPath("training/model/llava"), { adapter: found!.name });
  try {
    return await take(await Trainer.create(llava, options));
  } finally {
    await llava.dispose();
  }
}

it("steps that were not awaited are those that were", async () => {
  const inTurn = await train(async (trainer) => [await trainer.step(batch), await trainer.step(batch), await trainer.parameters()]);
  const atOnce = await train((trainer) => Promise.all([trainer.step(batch), trainer.step(batch), trainer.parameters()]));
  expect(atOnce).toEqual(inTurn);
});

it("disposing waits for the step in flight, and nothing runs after it", async () => {
  await train(async (trainer) => {
    const [step, disposed] = [trainer.step(batch), trainer.dispose()];
    expect(trainer.dispose()).toBe(disposed);
    await expectTrouble(trainer.step(batch), DisposedError, /this trainer was disposed/);
    expect((await step).loss).toBeGreaterThan(0);
    await disposed;
    expect(trainer.stepCount).toBe(1);
  });
});

it("a batch that does not fit is an error of its own, and the next one is trained on as if it had not been", async () => {
  const first = await train((trainer) => trainer.step(batch));
  await train(async (trainer) => {
    const bad = (changed: Partial<Record<keyof TrainingBatch, unknown>>) => ({ ...batch, ...changed }) as TrainingBatch;
    const { pixelValues: _pixels, ...blind } = batch;
    await expectTrouble(trainer.gradients([batch] as never), BatchError, /^batch: expected one object with inputIds and labels, got a list of 1; only step takes several$/);
    await expectTrouble(trainer.step(undefined as never), BatchError, /^batch: expected one object .* got none/);
    await expectTrouble(trainer.scores(undefined as never), BatchError, /^batch: expected one object .* got none/);
    await expectTrouble(trainer.memory(undefined as never), BatchError, /^batch: expected one object .* got none/);
    await expectTrouble(trainer.step(blind), BatchError, /^batch\.pixelValues: expected pictures for the batch's \d+ image tokens, got none$/);
    await expectTrouble(trainer.step(bad({ labels: undefined })), BatchError, /^batch\.labels: /);
    const spelt = batch.inputIds.map((row) => row.map((id) => (id === 519 ? -200 : id)));
    await expectTrouble(trainer.step(bad({ inputIds: spelt })), BatchError, /^batch\.inputIds\[0\]\[\d+\]: .* got -200$/);
    expect(await trainer.step(batch)).toEqual(first);
    await expectTrouble(trainer.save(undefined as never), OptionError, /^target: expected a folder's path/);
    await expectTrouble(trainer.checkpoint(undefined as never), OptionError, /^target: expected a folder's path/);
  });
});

it("a trainer is made with known options, with a rate for all that learns, of a model that is still there", async () => {
  const llava = await Llava.load(goldenPath("training/model/llava"), { adapter: found!.name });
  const create = (changed: object) => Trainer.create(llava, { ...options, ...changed });
  await expectTrouble(create({ learning_rate: 1 }), OptionError, /^options: expected only trainable, .* got "learning_rate"$/);
  await expectTrouble(create({ trainable: [3] }), OptionError, /^trainable: expected a list of parts or globs/);
  // What globs mean shows only here.
  const byGlob = { trainable: ["multi_modal_projector.**"], learningRate: { language: 1 } };
  await expectTrouble(create(byGlob), OptionError, /^learningRate\.projector: expected a rate/);
  const adapters = { trainable: undefined, lora: { rank: 2, targets: ["vision_tower.**"] } };
  await expectTrouble(create({ ...adapters, learningRate: { projector: 1, language: 1 } }), OptionError, /^learningRate\.vision: expected a rate/);
  const trainer = await create({ ...adapters, learningRate: { vision: 1e-2 } });
  expect(new Set(trainer.slots.map(({ part }) => part))).toEqual(new Set(["vision"]));
  await trainer.dispose();
  await llava.dispose();
  await expectTrouble(create({}), DisposedError, /^this model was disposed/);
  await expectTrouble(TowerTrainer.create(llava, { heads: { kind: 2 }, learningRate: 1 }), DisposedError, /^this model was disposed/);
});
