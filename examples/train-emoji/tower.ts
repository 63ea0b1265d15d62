/** The vision tower from random weights, by labels: the model has no CLIP to begin with. */
import type { Llava } from "llava-webgpu";
import { Random, type TowerOptions, TowerTrainer } from "llava-webgpu/train";
import type { Drawing, Drawings } from "./drawings.ts";
import { normalised } from "./pixels.ts";
import { TowerLessons } from "./tower-lessons.ts";
import type { WordMask } from "./words.ts";

export interface TowerRun {
  readonly drawings: Drawings;
  readonly words: readonly WordMask[];
  /** Where checkpoints and the trained model go. */
  readonly output: string;
  readonly steps: number;
  readonly batchSize: number;
  /** Of Muon's matrices; AdamW's tensors learn at `adamWFactor` of it. */
  readonly learningRate: number;
  readonly adamWFactor: number;
  readonly seed: number;
  /** Steps between two checkpoints, and between two looks at the held-out drawings. */
  readonly checkpointEvery: number;
  readonly evaluateEvery: number;
  /** Goes on from the checkpoint in `output`. */
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
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

/** Steps between two reports. */
const REPORT = 50;

/** Trains the tower of a loaded model and saves the model. An aborted run leaves a checkpoint to resume from. */
export async function trainTower(llava: Llava, run: TowerRun): Promise<void> {
  const { drawings, steps, output, signal } = run;
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
  const trainer = await (run.resume ? TowerTrainer.resume(llava, output, options) : TowerTrainer.create(llava, options));
  try {
    // A stream of its own for every step, so that a resumed run sees the pictures that it would have seen.
    const lesson = (step: number) => lessons.next(new Random(run.seed * 1_000_003 + step));
    let sums = emptySums();
    let next = lesson(trainer.stepCount);
    while (trainer.stepCount < steps && !signal?.aborted) {
      const stepping = trainer.step(next);
      // The step is with the GPU; meanwhile the next pictures are painted.
      await new Promise((resolve) => setImmediate(resolve));
      next = lesson(trainer.stepCount + 1);
      const { loss, losses } = await stepping;
      sums.loss += loss;
      for (const [head, one] of Object.entries(losses)) sums.losses[head] = (sums.losses[head] ?? 0) + one;
      const step = trainer.stepCount;
      if (step % run.checkpointEvery === 0) await trainer.checkpoint(output);
      if (step % REPORT !== 0 && step !== steps) continue;
      const count = step % REPORT || REPORT;
      const look = step % run.evaluateEvery === 0 || step === steps;
      run.onProgress?.({
        step,
        steps,
        loss: sums.loss / count,
        losses: Object.fromEntries(Object.entries(sums.losses).map(([head, sum]) => [head, sum / count])),
        picturesPerSecond: (count * run.batchSize * 1000) / (performance.now() - sums.began),
        ...(look ? { accuracy: await heldOutAccuracy(trainer, drawings, imageSize) } : {}),
      });
      sums = emptySums();
    }
    await trainer.checkpoint(output);
    if (!signal?.aborted) await trainer.save(output);
  } finally {
    await trainer.dispose();
  }
}

function emptySums(): { loss: number; losses: Record<string, number>; began: number } {
  return { loss: 0, losses: {}, began: performance.now() };
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
