/** A run that is interrupted and resumed equals one that is not, bit by bit. */
import { existsSync, mkdtempSync, rmSync, writeFileSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Llava } from "../../src/index.ts";
import { ResumeError, Sampler, Trainer, type TrainerOptions } from "../../src/train/index.ts";
import { WeightError } from "../../weights/index.ts";
import { testAdapters } from "../harness/adapters.ts";
import { expectTrouble } from "../harness/checkpoints.ts";
import { goldenPath } from "../harness/golden.ts";
import { batchOf, readTensors } from "../harness/training.ts";

const source = goldenPath("training/model/llava");
const root = mkdtempSync(join(tmpdir(), "llava-checkpoint-"));
afterAll(() => rmSync(root, { recursive: true }));
const [found] = await testAdapters();
const adapter = found!.name;
const stored = await readTensors(goldenPath("training/curves/batches.safetensors"));
const numbers = [...new Set([...stored.keys()].map((name) => name.split("/")[0]!))];

const options: TrainerOptions = {
  trainable: ["projector", "language"],
  learningRate: { projector: 1e-2, language: 1e-3 },
  optimizer: { weightDecay: 0.1 },
  schedule: { kind: "cosine", steps: 8, warmupSteps: 2 },
};
const sampling = { batch: 1, seed: 7 };

async function steps(trainer: Trainer, sampler: Sampler, count: number) {
  const results = [];
  for (let i = 0; i < count; i++) results.push(await trainer.step(batchOf(stored, `${numbers[sampler.next()[0]!]}/`)));
  return results;
}

/** Steps from where the sampler stood at the checkpoint. */
function stepsBehind(resumed: Trainer, count: number) {
  return steps(resumed, new Sampler(numbers.length, { batch: 1, state: resumed.data as Sampler["state"] }), count);
}

/** Those of a model that is loaded anew, which is then saved. */
async function goOn(folder: string, settings: TrainerOptions, count: number, saved: string) {
  const llava = await Llava.load(source, { adapter });
  const trainer = await Trainer.resume(llava, folder, settings);
  const results = await stepsBehind(trainer, count);
  await trainer.save(saved);
  await trainer.dispose();
  await llava.dispose();
  return results;
}

describe(`checkpoints on ${adapter}`, () => {
  it.each<[string, TrainerOptions]>([
    ["AdamW", options],
    ["Muon", { ...options, optimizer: { kind: "muon", weightDecay: 0.1, adamWRateFactor: 0.5 } }],
  ])("resumed losses, norms, learning rates, weights and moments are bit-equal: %s", async (name, options) => {
    const folder = join(root, name);
    const llava = await Llava.load(source, { adapter });
    const earlier = await Trainer.create(llava, { trainable: ["**.layers.0.mlp.fc1.weight"], learningRate: 1e-2 });
    await earlier.step(batchOf(stored, `${numbers[0]}/`));
    const vision = Object.values(await earlier.parameters()).map(({ data }) => Array.from(data.subarray(0, 9)));
    await earlier.dispose();
    const trainer = await Trainer.create(llava, options);
    const sampler = new Sampler(numbers.length, sampling);
    await steps(trainer, sampler, 3);
    await trainer.checkpoint(folder, { data: sampler.state });
    const whole = await steps(trainer, sampler, 4);
    const [values, moments] = [await trainer.parameters(), await trainer.moments()];
    await trainer.dispose();
    await llava.dispose();

    const fresh = await Llava.load(source, { adapter });
    const resumed = await Trainer.resume(fresh, folder, options);
    expect(resumed.stepCount).toBe(3);
    expect(await stepsBehind(resumed, 4)).toEqual(whole);
    expect([await resumed.parameters(), await resumed.moments()]).toEqual([values, moments]);
    // What only an earlier stage trained is there again, and saved.
    await resumed.save(join(root, `${name} saved`));
    await resumed.dispose();
    await fresh.dispose();
    const again = await readTensors(join(root, `${name} saved`, "model.safetensors"));
    const kept = [...again].filter(([name]) => name.endsWith("layers.0.mlp.fc1.weight")).map(([, { data }]) => Array.from(data.subarray(0, 9)));
    expect(kept).toEqual(vision);
  });

  it("adapters and their dropout go on as they would have", async () => {
    const folder = join(root, "adapters");
    const settings: TrainerOptions = { trainable: ["projector"], lora: { rank: 2, dropout: 0.2, seed: 3 }, learningRate: 1e-2 };
    const llava = await Llava.load(source, { adapter });
    const trainer = await Trainer.create(llava, settings);
    const sampler = new Sampler(numbers.length, sampling);
    await steps(trainer, sampler, 2);
    await trainer.checkpoint(folder, { data: sampler.state });
    const whole = await steps(trainer, sampler, 2);
    await trainer.dispose();
    await llava.dispose();
    expect(await goOn(folder, settings, 2, join(root, "adapters saved"))).toEqual(whole);
  });

  it.each([undefined, "loaded"] as const)("adapters of an earlier stage are there again, with lora %s", async (lora) => {
    const folder = join(root, `earlier ${lora}`);
    const settings: TrainerOptions = { trainable: ["projector"], ...(lora ? { lora } : {}), learningRate: 1e-2 };
    const llava = await Llava.load(source, { adapter });
    const sampler = new Sampler(numbers.length, sampling);
    const first = await Trainer.create(llava, { trainable: [], lora: { rank: 2, alpha: 3 }, learningRate: 1e-2 });
    await steps(first, sampler, 2);
    await first.dispose();
    const second = await Trainer.create(llava, settings);
    await steps(second, sampler, 1);
    await second.checkpoint(folder, { data: sampler.state });
    const whole = await steps(second, sampler, 2);
    await second.dispose();
    await llava.dispose();
    expect(await goOn(folder, settings, 2, join(root, `earlier ${lora} saved`))).toEqual(whole);
    expect(existsSync(join(root, `earlier ${lora} saved`, "adapter_model.safetensors"))).toBe(true);
  });

  it("leaves no adapters behind when it is refused", async () => {
    const folder = join(root, "refused");
    const settings: TrainerOptions = { trainable: [], lora: { rank: 2 }, learningRate: 1e-2 };
    const llava = await Llava.load(source, { adapter });
    const trainer = await Trainer.create(llava, settings);
    await trainer.checkpoint(folder);
    await trainer.dispose();
    await llava.dispose();
    const file = join(folder, "training.safetensors");
    const bytes = readFileSync(file).toString("latin1");
    // One tensor less, by another name.
    writeFileSync(file, Buffer.from(bytes.replace("lora_A.weight", "lora_X.weight"), "latin1"));
    const fresh = await Llava.load(source, { adapter });
    await expectTrouble(Trainer.resume(fresh, folder, settings), ResumeError, /expected .*, got/);
    await (await Trainer.create(fresh, settings)).dispose();
    await fresh.dispose();
  });

  it("refuses another recipe, another model and damaged files", async () => {
    const folder = join(root, "other");
    const llava = await Llava.load(source, { adapter });
    const trainer = await Trainer.create(llava, options);
    await trainer.checkpoint(folder);
    await trainer.dispose();
    const resume = (changed: Partial<TrainerOptions>, from = folder) => Trainer.resume(llava, from, { ...options, ...changed });
    await expectTrouble(resume({ trainable: ["projector"] }), ResumeError, /trainable\.1: expected "language".*got nothing/);
    await expectTrouble(resume({ learningRate: { projector: 1e-2, language: 2e-3 } }), ResumeError, /learningRate\.language: expected 0\.001, .* got 0\.002/);
    await expectTrouble(resume({ optimizer: { kind: "muon", weightDecay: 0.1 } }), ResumeError, /optimizer\.kind: expected nothing, .* got "muon"/);
    await expectTrouble(resume({ accumulate: 2 }), ResumeError, /accumulate: expected nothing, .* got 2/);
    await expectTrouble(resume({}, source), ResumeError, /expected a checkpoint of a training run \(training\.safetensors\), found none/);

    const next = await Llava.load(goldenPath("training/model/llava_next"), { adapter });
    await expectTrouble(Trainer.resume(next, folder, options), ResumeError, /expected .*, as this run has it, got/);
    await next.dispose();

    const file = join(folder, "training.safetensors");
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(0, bytes.length - 9));
    await expectTrouble(resume({}), WeightError, /training\.safetensors/);
    writeFileSync(file, readFileSync(join(source, "model.safetensors")));
    await expectTrouble(resume({}), ResumeError, /expected the format/);
    writeFileSync(file, Buffer.from(bytes.toString("latin1").replace('\\"step\\":0', '\\"step\\":-'), "latin1"));
    await expectTrouble(resume({}), WeightError, /the state of the run is no JSON/);
    await llava.dispose();
  });
});
