/** Direct preference optimisation equals PyTorch's: log-probabilities, losses, rewards, gradients. */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { Llava, OptionError } from "../../src/index.ts";
import { dpoGradients, dpoLoss, dpoStep, type DpoOptions, referenceLogProbabilities } from "../../src/train/dpo.ts";
import { slotsOf } from "../../src/train/slots.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { Checkpoint } from "../../weights/index.ts";
import { testAdapters } from "../harness/adapters.ts";
import { goldenPath } from "../harness/golden.ts";
import { batchOf, readTensors } from "../harness/training.ts";

interface Variant {
  readonly smoothing: number;
  readonly gamma: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly tolerance: { loss: number; log_probabilities: number; gradients: Record<string, number> };
}

const folder = goldenPath("training/model/llava");
const golden = JSON.parse(readFileSync(goldenPath("training/preference/preference.json"), "utf8")) as {
  beta: number;
  dpo: Record<string, Variant>;
  losses_only: { tolerance: { losses: number; rewards: number; gradient: number } };
};
let want: Awaited<ReturnType<typeof readTensors>>;
let batch: ReturnType<typeof batchOf>;
beforeAll(async () => {
  want = await readTensors(goldenPath("training/preference/preference.safetensors"));
  batch = batchOf(await readTensors(goldenPath("training/preference/pairs.safetensors")));
});

function expectWithin(got: ArrayLike<number>, name: string, limit: number): void {
  const { data } = want.get(name)!;
  expect(got.length, name).toBe(data.length);
  const worst = data.reduce((largest, value, i) => Math.max(largest, Math.abs(got[i]! - value)), 0);
  expect(worst, name).toBeLessThanOrEqual(5 * limit);
}

const tokens = (count: number) => Array.from({ length: count }, () => 1);

describe("dpoLoss", () => {
  it("equals the goldens, margins of 179 and -90 included", () => {
    const { losses, rewards, gradient } = golden.losses_only.tolerance;
    const policy = want.get("losses_only/policy")!.data;
    const scores = [{ logProbabilities: Float64Array.from(policy), tokens: tokens(policy.length) }];
    for (const [name, labelSmoothing] of [["sigmoid", 0], ["label_smoothed", golden.dpo.label_smoothed!.smoothing]] as const) {
      const got = dpoLoss(scores, [want.get("losses_only/reference")!.data], { beta: golden.beta, labelSmoothing });
      expectWithin(got.losses, `losses_only/${name}.losses`, losses);
      expectWithin([...got.chosenRewards, ...got.rejectedRewards], `losses_only/${name}.rewards`, rewards);
      expectWithin(got.slopes[0]!, `losses_only/${name}.gradient`, gradient);
    }
  });

  it("counts every pair of several batches alike", () => {
    const batchOfPairs = (...values: number[]) => ({ logProbabilities: Float64Array.from(values), tokens: values.map((_, i) => i + 2) });
    const options = { beta: 0.3, labelSmoothing: 0.1, supervised: 0.5 };
    const [one, two] = [batchOfPairs(-3, -5), { ...batchOfPairs(-7, -2, -4, -6), tokens: [4, 5, 6, 7] }];
    const apart = dpoLoss([one, two], [[-4, -4], [-6, -3, -5, -5]], options);
    const joined = { logProbabilities: Float64Array.of(-3, -7, -2, -5, -4, -6), tokens: [2, 4, 5, 3, 6, 7] };
    const whole = dpoLoss([joined], [[-4, -6, -3, -4, -5, -5]], options);
    expect(apart.loss).toBeCloseTo(whole.loss, 12);
    expect(apart.losses).toEqual(whole.losses);
    const [[a, d], [b, c, e, f]] = apart.slopes.map((slope) => [...slope]) as [number[], number[]];
    [a, b, c, d, e, f].forEach((slope, i) => expect(slope).toBeCloseTo(whole.slopes[0]![i]!, 12));
  });

  it("refuses odd batches, references that do not fit and options out of range", () => {
    const scores = (count: number) => [{ logProbabilities: new Float64Array(count), tokens: tokens(count) }];
    expect(() => dpoLoss(scores(3), [[0, 0, 0]])).toThrow("expected as many chosen as rejected answers, got \"3 samples\"");
    expect(() => dpoLoss(scores(2), [[0]])).toThrow(OptionError);
    expect(() => dpoLoss(scores(2), [])).toThrow(OptionError);
    for (const options of [{ beta: 0 }, { labelSmoothing: 0.5 }, { supervised: -1 }]) expect(() => dpoLoss(scores(2), [[0, 0]], options)).toThrow(OptionError);
  });
});

for (const found of await testAdapters()) {
  describe(`preference learning on ${found.name}`, () => {
    it("equals PyTorch's", async () => {
      const llava = await Llava.load(folder, { adapter: found.name });
      const trainer = await Trainer.create(llava, { trainable: ["projector", "language"], learningRate: 1e-3 });
      const { sigmoid } = golden.dpo;
      const reference = await referenceLogProbabilities(trainer, batch);
      expectWithin(reference, "reference_log_probabilities", sigmoid!.tolerance.log_probabilities);

      await becomePolicy(llava);
      for (const [name, { smoothing, gamma, loss, accuracy, tolerance }] of Object.entries(golden.dpo)) {
        expectWithin((await trainer.scores(batch)).logProbabilities, `${name}/log_probabilities`, tolerance.log_probabilities);
        const options: DpoOptions = { beta: golden.beta, labelSmoothing: smoothing, supervised: gamma };
        const got = await dpoGradients(trainer, { batch, reference }, options);
        expect(Math.abs(got.loss - loss), `${name} loss`).toBeLessThanOrEqual(5 * tolerance.loss);
        expect(got.accuracy).toBeCloseTo(accuracy, 12);
        expectWithin(got.losses, `${name}/losses`, tolerance.loss);
        expectWithin([...got.chosenRewards, ...got.rejectedRewards], `${name}/rewards`, golden.beta * tolerance.log_probabilities);
        const stored = [...want.keys()].filter((key) => key.startsWith(`${name}/gradient.`));
        expect(stored.length).toBeGreaterThan(10);
        for (const key of stored) {
          const tensor = key.slice(`${name}/gradient.`.length);
          expectWithin(got.gradients[tensor]!.data, key, tolerance.gradients[tensor]!);
        }
      }
      await trainer.dispose();
      await llava.dispose();
    });

    it("learns the preference with adapters, in micro-batches, with dropout", async () => {
      const llava = await Llava.load(folder, { adapter: found.name });
      const lora = { rank: 4, dropout: 0.05 };
      const trainer = await Trainer.create(llava, { trainable: [], learningRate: 2e-2, lora, accumulate: 2 });
      const pairs = { batch, reference: await referenceLogProbabilities(trainer, batch) };
      const first = await dpoStep(trainer, [pairs, pairs]);
      // B is zero: the policy is the reference.
      expect(first.loss).toBeCloseTo(Math.LN2, 6);
      for (let i = 0; i < 2; i++) await dpoStep(trainer, [pairs, pairs]);
      const last = await dpoStep(trainer, [pairs, pairs]);
      expect(last.loss).toBeLessThan(0.8 * first.loss);
      expect(last.accuracy).toBe(1);
      await trainer.dispose();
      await llava.dispose();
    });
  });
}

/** Writes the policy's weights over those of the reference. */
async function becomePolicy(llava: Llava): Promise<void> {
  const { gpu, model, folder: source } = llava.parts.loaded;
  const checkpoint = await Checkpoint.open(source);
  await checkpoint.close();
  const policy = await readTensors(goldenPath("training/preference/policy.safetensors"));
  for (const parameter of model.parameters.values()) {
    for (const { foreignName, offset } of slotsOf(parameter, (name) => checkpoint.info(name).foreignName)) {
      const tensor = policy.get(foreignName);
      if (tensor) gpu.write(parameter.block.buffer, offset * 4, tensor.data);
    }
  }
}
