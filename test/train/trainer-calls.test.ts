/** Calls of a trainer that meet: each waits for those before it, and the last one is `dispose`. */
import { expect, it } from "vitest";
import { Llava } from "../../src/index.ts";
import { Trainer, type TrainerOptions } from "../../src/train/index.ts";
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
