/** Ten optimizer steps of every recipe: losses, gradient norms, learning rates, parameters and moments equal PyTorch's. */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { Llava } from "../../src/index.ts";
import { mergeLora } from "../../src/train/lora.ts";
import { loadLora } from "../../src/train/lora-files.ts";
import type { TrainerOptions } from "../../src/train/options.ts";
import type { Part } from "../../src/train/slots.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { testAdapters } from "../harness/adapters.ts";
import { goldenPath } from "../harness/golden.ts";
import { batchOf, readTensors, readWeights } from "../harness/training.ts";

interface Curve {
  readonly settings: {
    model: string;
    learns: string;
    base_learning_rate: number;
    rates: Record<string, number>;
    weight_decay: number;
    accumulation: number;
    normalise: string;
    parameters_without_gradient: "skip" | "zero";
    betas: [number, number];
    eps: number;
    max_norm: number;
    warmup_steps: number;
    steps: number;
    /** Of the curve with Muon. */
    momentum?: number;
    adamw_rate_factor?: number;
  };
  readonly groups: { part: string; weight_decay: number; muon?: boolean; parameters: string[] }[];
  readonly steps: { micro_batches: number[]; learning_rates: number[]; loss: number; gradient_norm: number }[];
  readonly tolerance: { loss: number; gradient_norm: number; parameters: Record<string, number>; moments?: Record<string, number> };
}

const readCurves = <T>(path: string) => JSON.parse(readFileSync(goldenPath(path), "utf8")) as T;
const curves: Record<string, Curve> = { ...readCurves<Record<string, Curve>>("training/curves/curves.json"), muon: readCurves<Curve>("training/muon/curve.json") };
const recipes = Object.entries(curves);
let batches: Awaited<ReturnType<typeof readTensors>>;
beforeAll(async () => {
  batches = await readTensors(goldenPath("training/curves/batches.safetensors"));
});

for (const found of await testAdapters()) {
  describe(`training curves on ${found.name}`, () => {
    for (const [name, curve] of recipes) it(name, () => check(found.name, name, curve));
    for (const name of ["onevision_per_part", "lora_and_projector"]) {
      it(`${name}, with layers recomputed`, () => check(found.name, name, curves[name]!, "layer"));
    }
  });
}

const parts: Record<string, Part[]> = { "lora": [], "lora with projector": ["projector"], stage_1: ["projector"], stage_2: ["projector", "language"], full: ["vision", "projector", "language"] };
const partNames: Record<string, Part> = { base: "language", multi_modal_projector: "projector", vision_tower: "vision" };

async function check(adapter: string, name: string, { settings, groups, steps, tolerance }: Curve, recompute: "none" | "layer" = "none"): Promise<void> {
  const folder = goldenPath(`training/model/${settings.model}`);
  const llava = await Llava.load(folder, { adapter });
  const lora = settings.learns.startsWith("lora");
  if (lora) await loadLora(llava, goldenPath("training/curves/lora_initial"));
  const rates = Object.fromEntries(Object.entries(settings.rates).map(([part, rate]) => [partNames[part]!, rate]));
  const base = settings.base_learning_rate;
  const options: TrainerOptions = {
    trainable: parts[settings.learns]!,
    ...(lora ? { lora: "loaded" } : {}),
    learningRate: { vision: base, projector: base, language: base, ...rates },
    optimizer: {
      betas: settings.betas, eps: settings.eps, weightDecay: settings.weight_decay,
      ...(name === "muon" ? { kind: "muon", momentum: settings.momentum, adamWRateFactor: settings.adamw_rate_factor } : {}),
    },
    schedule: { kind: "cosine", steps: settings.steps, warmupSteps: settings.warmup_steps },
    maxGradientNorm: settings.max_norm,
    accumulate: settings.accumulation,
    normalise: settings.normalise === "tokens" ? "tokens" : "microbatch",
    parametersWithoutGradient: settings.parameters_without_gradient,
    recompute,
  };
  const trainer = await Trainer.create(llava, options);
  const want = await readTensors(goldenPath(name === "muon" ? "training/muon/curve.safetensors" : `training/curves/${name}.safetensors`));
  const own = settings.model === "llava" ? undefined : await readTensors(`${folder}/batch.safetensors`);
  const decays = new Map(groups.flatMap(({ parameters, weight_decay }) => parameters.map((parameter) => [parameter, weight_decay > 0] as const)));
  for (const slot of trainer.slots) {
    if (settings.weight_decay > 0 && decays.has(slot.foreignName)) expect(slot.decays, slot.foreignName).toBe(decays.get(slot.foreignName));
  }

  const compareSlices = async (row: number): Promise<void> => {
    const values = await trainer.parameters();
    for (const [key, { shape, data }] of want) {
      if (!key.startsWith("slice/")) continue;
      const tensor = key.slice("slice/".length);
      const width = shape[1]!;
      expectWithin(values[tensor]!.data.subarray(0, width), data.subarray(row * width, (row + 1) * width), 5 * tolerance.parameters[tensor]!, `${tensor} before step ${row}`);
    }
  };
  for (const [i, step] of steps.entries()) {
    await compareSlices(i);
    const micro = step.micro_batches.map((number) => (own ? batchOf(own) : batchOf(batches, `${number}/`)));
    const { loss, gradientNorm, learningRates } = await trainer.step(micro);
    expect(Math.abs(loss - step.loss), `loss of step ${i}`).toBeLessThanOrEqual(5 * tolerance.loss);
    expect(Math.abs(gradientNorm - step.gradient_norm), `gradient norm of step ${i}`).toBeLessThanOrEqual(5 * tolerance.gradient_norm);
    groups.forEach(({ part }, g) => expect(learningRates[partNames[part]!], `rate of ${part}`).toBeCloseTo(step.learning_rates[g]!, 12));
  }
  await compareSlices(steps.length);

  const [values, { m, v }] = [await trainer.parameters(), await trainer.moments()];
  for (const [key, { data }] of want) {
    const [kind, tensor] = [key.slice(0, key.indexOf("/")), key.slice(key.indexOf("/") + 1)];
    if (kind === "final") expectWithin(values[tensor]!.data, data, 5 * tolerance.parameters[tensor]!, `final ${tensor}`);
    // Moments carry no tolerance of their own: a relative one, of the largest stored element.
    const moment = kind === "adam_m" ? m : kind === "adam_v" ? v : undefined;
    if (kind === "momentum") expectWithin(m[tensor]!.data, data, 5 * tolerance.moments![tensor]!, key);
    if (moment) expectWithin(moment[tensor]!.data.subarray(0, data.length), data, 1e-4 * Math.max(...data.map(Math.abs)) + 1e-12, key);
  }
  for (const { muon = false, parameters } of groups) {
    for (const tensor of parameters) if (tensor in values) expect(tensor in v, `second moment of ${tensor}`).toBe(!muon);
  }
  await trainer.dispose();
  if (lora) await checkMerged(llava, want, (tensor) => 5 * tolerance.parameters[tensor]!);
  await llava.dispose();
}

/** An error of A or B reaches W + scale · B A through sums of rank products of values well below 1: their tolerances together hold. */
async function checkMerged(llava: Llava, want: Awaited<ReturnType<typeof readTensors>>, limit: (tensor: string) => number): Promise<void> {
  await mergeLora(llava);
  const merged = await readWeights(llava);
  for (const [key, { data }] of want) {
    if (!key.startsWith("merged/")) continue;
    const tensor = key.slice("merged/".length);
    const module = tensor.replace("language_model.model", "model.language_model").replace(/\.weight$/, "");
    const own = limit(`base_model.model.${module}.lora_A.weight`) + limit(`base_model.model.${module}.lora_B.weight`);
    expectWithin(merged.get(tensor)!, data, own, key);
  }
}

function expectWithin(got: Float32Array, want: Float32Array, limit: number, label: string): void {
  let worst = 0;
  for (let i = 0; i < want.length; i++) worst = Math.max(worst, Math.abs(got[i]! - want[i]!));
  expect(worst, label).toBeLessThanOrEqual(limit);
}
