/** Recomputing the layers changes memory and time alone: every number of a training run is the same, bit by bit. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Llava, OptionError } from "../../src/index.ts";
import { dpoStep } from "../../src/train/dpo.ts";
import { removeLora } from "../../src/train/lora.ts";
import { checkOptions, type TrainerOptions } from "../../src/train/options.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { testAdapters } from "../harness/adapters.ts";
import { goldenPath } from "../harness/golden.ts";
import { batchOf, readBatch, readTensors } from "../harness/training.ts";

const root = mkdtempSync(join(tmpdir(), "llava-recompute-"));
afterAll(() => rmSync(root, { recursive: true }));
/** A rate of 0, so that a step leaves the model as it was. */
const whole: TrainerOptions = { trainable: ["vision", "projector", "language"], learningRate: 0 };
const adapters: TrainerOptions = { trainable: [], lora: { rank: 2, dropout: 0.3, targets: ["**.layers.**"] }, learningRate: 1e-2 };
let batches: ReturnType<typeof batchOf>[];
let pairs: ReturnType<typeof batchOf>;
beforeAll(async () => {
  const stored = await readTensors(goldenPath("training/curves/batches.safetensors"));
  batches = ["0/", "1/"].map((prefix) => batchOf(stored, prefix));
  pairs = batchOf(await readTensors(goldenPath("training/preference/pairs.safetensors")));
});

/** What `body` gives without and with recomputation. */
async function both<T>(llava: Llava, options: TrainerOptions, body: (trainer: Trainer) => Promise<T>): Promise<[T, T]> {
  const run = async (recompute: "none" | "layer"): Promise<T> => {
    const trainer = await Trainer.create(llava, { ...options, recompute });
    const result = await body(trainer);
    await trainer.dispose();
    removeLora(llava);
    return result;
  };
  return [await run("none"), await run("layer")];
}

for (const found of await testAdapters()) {
  const load = (model: string) => Llava.load(goldenPath(`training/model/${model}`), { adapter: found.name });

  describe(`recomputation on ${found.name}`, () => {
    it.each(["llava", "llava_next", "llava_onevision"])("%s: loss and gradients are bit-equal, memory is less and as planned", async (model) => {
      const llava = await load(model);
      const batch = await readBatch(goldenPath(`training/model/${model}/batch.safetensors`));
      const [kept, again] = await both(llava, whole, async (trainer) => {
        const plan = await trainer.memory(batch);
        const result = await trainer.gradients(batch);
        await trainer.step(batch);
        return { result, plan, allocated: llava.parts.loaded.gpu.allocated };
      });
      expect(again.result).toEqual(kept.result);
      expect(again.plan.activations).toBeLessThan(kept.plan.activations);
      expect(again.allocated).toBe(again.plan.total);
      await llava.dispose();
    });

    it("adapters with dropout learn the same in steps of micro-batches, from preferences, and when resumed with the other setting", async () => {
      const llava = await load("llava");
      const [kept, again] = await both(llava, { ...adapters, accumulate: 2 }, async (trainer) => {
        const steps = [await trainer.step(batches), await trainer.step(batches)];
        return { steps, values: await trainer.parameters(), moments: await trainer.moments() };
      });
      expect(again).toEqual(kept);

      const reference = new Float64Array(pairs.inputIds.length).fill(-9);
      const [keptPairs, againPairs] = await both(llava, adapters, async (trainer) => ({
        step: await dpoStep(trainer, { batch: pairs, reference }, { beta: 0.3 }),
        values: await trainer.parameters(),
      }));
      expect(againPairs).toEqual(keptPairs);

      const trainer = await Trainer.create(llava, adapters);
      await trainer.step(batches[0]!);
      await trainer.checkpoint(root);
      const next = { step: await trainer.step(batches[1]!), values: await trainer.parameters() };
      await trainer.dispose();
      removeLora(llava);
      const resumed = await Trainer.resume(llava, root, { ...adapters, recompute: "layer" });
      expect({ step: await resumed.step(batches[1]!), values: await resumed.parameters() }).toEqual(next);
      await resumed.dispose();
      await llava.dispose();
    });
  });
}

it("refuses other words", () => {
  expect(() => checkOptions({ ...whole, recompute: "block" as never })).toThrow(OptionError);
});
