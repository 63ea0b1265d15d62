/** The vision tower from random weights, by labels: the model has no CLIP to begin with. */
import type { Llava } from "llava-webgpu";
import { type TowerOptions, type TowerStepResult, TowerTrainer } from "llava-webgpu/train";
import type { Drawing, Drawings } from "./drawings.ts";
import { normalised } from "./pixels.ts";
import { type PartRun, takeSteps } from "./steps.ts";
import { TowerLessons } from "./tower-lessons.ts";

export interface TowerRun extends PartRun {
  /** Steps between two looks at the held-out drawings. */
  readonly evaluateEvery: number;
  readonly onProgress?: (progress: TowerProgress) => void;
}

/** How far a run is. */
export interface TowerProgress {
  readonly step: number;
  readonly steps: number;
  /** Means over the steps since the last report, which come every 50 steps. */
  readonly loss: number;
  readonly losses: Readonly<Record<string, number>>;
  readonly picturesPerSecond: number;
  /** Share of held-out drawings whose concept comes first, by vendor, every `evaluateEvery` steps. */
  readonly accuracy?: Readonly<Record<string, number>>;
}

/** Trains the tower of a loaded model and saves the model. An aborted run leaves a checkpoint to resume from. */
export async function trainTower(llava: Llava, run: TowerRun): Promise<void> {
  const { drawings, steps } = run;
  const { imageSize, patchSize } = llava.config.vision!;
  const { concepts, training } = drawings;
  const lessons = new TowerLessons({ concepts, drawings: training, words: run.words, tile: imageSize, patch: patchSize, batchSize: run.batchSize });
  const options: TowerOptions = {
    heads: lessons.heads,
    learningRate: run.learningRate,
    optimizer: { kind: "muon", weightDecay: 0.05, betas: [0.9, 0.98], adamWRateFactor: run.adamWFactor },
    schedule: { kind: "cosine", warmupRatio: 0.03, steps },
    maxGradientNorm: 2,
    seed: run.seed,
  };
  const trainer = await (run.resume ? TowerTrainer.resume(llava, run.output, options) : TowerTrainer.create(llava, options));
  await takeSteps(trainer, run, (random) => lessons.next(random), ({ pixels }) => pixels.shape[0]!, async ({ step, results, samples, seconds }) => {
    const mean = (value: (result: TowerStepResult) => number): number => results.reduce((sum, result) => sum + value(result), 0) / results.length;
    const look = step % run.evaluateEvery === 0 || step === steps;
    run.onProgress?.({
      step,
      steps,
      loss: mean(({ loss }) => loss),
      losses: Object.fromEntries(Object.keys(lessons.heads).map((head) => [head, mean(({ losses }) => losses[head]!)])),
      picturesPerSecond: samples / seconds,
      ...(look ? { accuracy: await heldOutAccuracy(trainer, drawings, imageSize) } : {}),
    });
  });
}

/** How often the concept head is right about drawings that the tower never saw, as their vendors place them. */
async function heldOutAccuracy(trainer: TowerTrainer, { heldOut }: Drawings, size: number): Promise<Record<string, number>> {
  const result: Record<string, number> = {};
  for (const [vendor, drawings] of Object.entries(heldOut)) {
    let right = 0;
    for (let from = 0; from < drawings.length; from += 64) right += await rightOf(trainer, drawings.slice(from, from + 64), size);
    result[vendor] = right / drawings.length;
  }
  return result;
}

async function rightOf(trainer: TowerTrainer, drawings: readonly Drawing[], size: number): Promise<number> {
  const { shape, data } = await trainer.scores(normalised(drawings.map(({ natural }) => ({ data: natural! })), size), "concept");
  const classes = shape[1]!;
  return drawings.filter(({ concept }, i) => {
    const row = data.subarray(i * classes, (i + 1) * classes);
    return row.every((score) => score <= row[concept.id]!);
  }).length;
}
