/** What the parts of the recipe have in common: steps on batches that are made meanwhile, checkpoints, reports. */
import { setImmediate as afterImmediate } from "node:timers/promises";
import { Random } from "llava-webgpu/train";
import type { Drawings } from "./drawings.ts";
import type { WordMask } from "./words.ts";

export interface PartRun {
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
  /** Steps between two checkpoints. */
  readonly checkpointEvery: number;
  /** Goes on from the checkpoint in `output`. */
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
}

/** What is needed of a trainer. */
interface StepTrainer<B, R> {
  readonly stepCount: number;
  step(batch: B): Promise<R>;
  checkpoint(folder: string): Promise<void>;
  save(folder: string): Promise<void>;
  dispose(): Promise<void>;
}

/** The steps since the last report. */
export interface Report<R> {
  readonly step: number;
  readonly results: readonly R[];
  /** Pictures or dialogues in all. */
  readonly samples: number;
  readonly seconds: number;
}

/** Steps between two reports. */
const REPORT = 50;

/**
 * Takes all steps and saves the model. An aborted run leaves a checkpoint to resume from.
 *
 * @param lesson makes a batch. Every step has random numbers of its own, so that a resumed run sees what it would have seen
 * @param sizeOf how many samples a batch has
 */
export async function takeSteps<B, R>(
  trainer: StepTrainer<B, R>,
  { steps, output, seed, checkpointEvery, signal }: PartRun,
  lesson: (random: Random) => B | Promise<B>,
  sizeOf: (batch: B) => number,
  report: (report: Report<R>) => void | Promise<void>,
): Promise<void> {
  try {
    const batchOf = (step: number): B | Promise<B> => lesson(new Random(seed * 1_000_003 + step));
    let results: R[] = [];
    let samples = 0;
    let began = performance.now();
    let next = await batchOf(trainer.stepCount);
    while (trainer.stepCount < steps && !signal?.aborted) {
      samples += sizeOf(next);
      const following = trainer.stepCount + 1;
      // While the step is with the GPU the next batch is made.
      const make = async (): Promise<B> => (following < steps ? batchOf(following) : next);
      const [result, made] = await Promise.all([trainer.step(next), afterImmediate().then(make)]);
      results.push(result);
      next = made;
      const step = trainer.stepCount;
      if (step % checkpointEvery === 0) await trainer.checkpoint(output);
      if (step % REPORT !== 0 && step !== steps) continue;
      await report({ step, results, samples, seconds: (performance.now() - began) / 1000 });
      [results, samples, began] = [[], 0, performance.now()];
    }
    await trainer.checkpoint(output);
    if (!signal?.aborted) await trainer.save(output);
  } finally {
    await trainer.dispose();
  }
}
