/** Both stages of visual instruction tuning on the pre-trained tower, which stays frozen. */
import type { Llava } from "llava-webgpu";
import { type Batch, type Random, type StepResult, Trainer, type TrainerOptions } from "llava-webgpu/train";
import { captionBatch, dialogueBatch } from "./dialogue-batches.ts";
import { DialogueMaker, type ExampleKind } from "./dialogue.ts";
import { type PartRun, takeSteps } from "./steps.ts";

export interface LanguageRun extends PartRun {
  /** 1: the projector learns names; 2: projector and language model learn dialogues. */
  readonly stage: 1 | 2;
  readonly onProgress?: (progress: LanguageProgress) => void;
}

export interface LanguageProgress {
  readonly stage: 1 | 2;
  readonly step: number;
  readonly steps: number;
  /** Mean over the steps since the last report. */
  readonly loss: number;
  readonly dialoguesPerSecond: number;
}

/** How often a batch is of each sort; signs and collages take as many batches as their tiles make them slow to learn. */
const mix: Readonly<Record<ExampleKind, number>> = { single: 0.62, collage: 0.22, sign: 0.1, pair: 0.06 };

/**
 * Trains a stage on a loaded model and saves the model; `batchSize` counts dialogues about single drawings. An aborted run
 * leaves a checkpoint to resume from.
 */
export async function trainLanguage(llava: Llava, run: LanguageRun): Promise<void> {
  const { drawings, words, stage, steps, batchSize } = run;
  const maker = new DialogueMaker({ concepts: drawings.concepts, drawings: drawings.training, words, tile: llava.config.vision!.imageSize });
  const options: TrainerOptions = {
    trainable: stage === 1 ? ["projector"] : ["projector", "language"],
    learningRate: run.learningRate,
    optimizer: { kind: "muon", weightDecay: 0.05, betas: [0.9, 0.98], adamWRateFactor: run.adamWFactor },
    schedule: { kind: "cosine", warmupRatio: 0.03, steps },
    maxGradientNorm: 1,
  };
  const trainer = await (run.resume ? Trainer.resume(llava, run.output, options) : Trainer.create(llava, options));
  const lesson = (random: Random): Promise<Batch> =>
    stage === 1 ? captionBatch(llava, { maker, batchSize }, random) : dialogueBatch(llava, { maker, batchSize, mix }, random);
  await takeSteps<Batch, StepResult>(trainer, run, lesson, ({ inputIds }) => inputIds.length, ({ step, results, samples, seconds }) => {
    const loss = results.reduce((sum, result) => sum + result.loss, 0) / results.length;
    run.onProgress?.({ stage, step, steps, loss, dialoguesPerSecond: samples / seconds });
  });
}
