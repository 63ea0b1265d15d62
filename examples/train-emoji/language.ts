/** The stages of visual instruction tuning on the pre-trained tower. */
import type { Llava } from "llava-webgpu";
import { type Batch, type Random, type StepResult, Trainer, type TrainerOptions } from "llava-webgpu/train";
import { type BatchMix, captionBatch, dialogueBatch } from "./dialogue-batches.ts";
import { DialogueMaker } from "./dialogue.ts";
import { type PartRun, takeSteps } from "./steps.ts";

/**
 * 1: the projector learns names as captions. Projector and language model then learn what takes them long, each by itself:
 * 1.5, to name; 1.75, to answer what depends on the words of the question, to compare, to search, and to read. 2: they learn
 * dialogues.
 * (LLaVA-OneVision has a stage 1.5 in that place, for knowledge.)
 */
export type Stage = 1 | 1.5 | 1.75 | 2;

export interface LanguageRun extends PartRun {
  readonly stage: Stage;
  /** What the tower learns at, as share of `learningRate`; 0, the default, leaves it frozen. LLaVA-NeXT takes 0.2 in stage 2. */
  readonly towerFactor?: number;
  readonly onProgress?: (progress: LanguageProgress) => void;
}

export interface LanguageProgress {
  readonly stage: Stage;
  readonly step: number;
  readonly steps: number;
  /** Mean over the steps since the last report. */
  readonly loss: number;
  readonly dialoguesPerSecond: number;
}

/** How often a batch is of each sort. A quarter of stage 2 is names alone: in dialogues they are a few words among many. */
const mixes: Readonly<Record<1.5 | 1.75 | 2, BatchMix>> = {
  1.5: { name: 1 },
  1.75: { quiz: 0.2, pair: 0.2, largePair: 0.1, search: 0.2, word: 0.15, single: 0.15 },
  2: { name: 0.25, single: 0.16, quiz: 0.08, large: 0.08, collage: 0.17, pair: 0.08, largePair: 0.05, sign: 0.13 },
};

/**
 * Trains a stage on a loaded model and saves the model; `batchSize` counts dialogues about single drawings. An aborted run
 * leaves a checkpoint to resume from.
 */
export async function trainLanguage(llava: Llava, run: LanguageRun): Promise<void> {
  const { drawings, words, stage, steps, batchSize, learningRate, towerFactor = 0 } = run;
  const maker = new DialogueMaker({ concepts: drawings.concepts, drawings: drawings.training, words, tile: llava.config.vision!.imageSize });
  const options: TrainerOptions = {
    trainable: ["projector", ...(stage === 1 ? [] : ["language"]), ...(towerFactor > 0 ? ["vision"] : [])],
    learningRate: { projector: learningRate, language: learningRate, vision: learningRate * towerFactor },
    optimizer: { kind: "muon", weightDecay: 0.05, betas: [0.9, 0.98], adamWRateFactor: run.adamWFactor },
    schedule: { kind: "cosine", warmupRatio: 0.03, steps },
    maxGradientNorm: 1,
  };
  const trainer = await (run.resume ? Trainer.resume(llava, run.output, options) : Trainer.create(llava, options));
  const lesson = (random: Random): Promise<Batch> => {
    if (stage === 1) return captionBatch(llava, { maker, batchSize }, random);
    return dialogueBatch(llava, { maker, batchSize, mix: mixes[stage] }, random);
  };
  await takeSteps<Batch, StepResult>(trainer, run, lesson, ({ inputIds }) => inputIds.length, ({ step, results, samples, seconds }) => {
    const loss = results.reduce((sum, result) => sum + result.loss, 0) / results.length;
    run.onProgress?.({ stage, step, steps, loss, dialoguesPerSecond: samples / seconds });
  });
}
