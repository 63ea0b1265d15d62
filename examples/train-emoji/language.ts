/** Both stages of visual instruction tuning on the pre-trained tower, which stays frozen. */
import type { Llava } from "llava-webgpu";
import { type Batch, Random, Trainer, type TrainerOptions } from "llava-webgpu/train";
import { captionBatch, dialogueBatch } from "./dialogue-batches.ts";
import { DialogueMaker, type ExampleKind } from "./dialogue.ts";
import type { Drawings } from "./drawings.ts";
import type { WordMask } from "./words.ts";

export interface LanguageRun {
  readonly drawings: Drawings;
  readonly words: readonly WordMask[];
  /** 1: the projector learns names; 2: projector and language model learn dialogues. */
  readonly stage: 1 | 2;
  /** Where checkpoints and the trained model go. */
  readonly output: string;
  readonly steps: number;
  /** Single drawings of a batch. */
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

/** Steps between two reports. */
const REPORT = 50;

/** How often a batch is of each sort; signs and collages take as many batches as their tiles make them slow to learn. */
const mix: Readonly<Record<ExampleKind, number>> = { single: 0.62, collage: 0.22, sign: 0.1, pair: 0.06 };

/** Trains a stage on a loaded model and saves the model. An aborted run leaves a checkpoint to resume from. */
export async function trainLanguage(llava: Llava, run: LanguageRun): Promise<void> {
  const { drawings, words, stage, steps, output, batchSize, signal } = run;
  const maker = new DialogueMaker({ concepts: drawings.concepts, drawings: drawings.training, words, tile: llava.config.vision!.imageSize });
  const options: TrainerOptions = {
    trainable: stage === 1 ? ["projector"] : ["projector", "language"],
    learningRate: run.learningRate,
    optimizer: { kind: "muon", weightDecay: 0.05, betas: [0.9, 0.98], adamWRateFactor: run.adamWFactor },
    schedule: { kind: "cosine", warmupRatio: 0.03, steps },
    maxGradientNorm: 1,
  };
  const trainer = await (run.resume ? Trainer.resume(llava, output, options) : Trainer.create(llava, options));
  try {
    const batch = (step: number): Promise<Batch> => {
      // A stream of its own for every step, so that a resumed run sees the pictures that it would have seen.
      const random = new Random(run.seed * 1_000_003 + step);
      return stage === 1 ? captionBatch(llava, { maker, batchSize, mix }, random) : dialogueBatch(llava, { maker, batchSize, mix }, random);
    };
    let sum = 0;
    let dialogues = 0;
    let began = performance.now();
    let next = await batch(trainer.stepCount);
    while (trainer.stepCount < steps && !signal?.aborted) {
      dialogues += next.inputIds.length;
      const stepping = trainer.step(next);
      // The step is with the GPU; meanwhile the next batch is made.
      await new Promise((resolve) => setImmediate(resolve));
      next = await batch(trainer.stepCount + 1);
      sum += (await stepping).loss;
      const step = trainer.stepCount;
      if (step % run.checkpointEvery === 0) await trainer.checkpoint(output);
      if (step % REPORT !== 0 && step !== steps) continue;
      const seconds = (performance.now() - began) / 1000;
      run.onProgress?.({ stage, step, steps, loss: sum / (step % REPORT || REPORT), dialoguesPerSecond: dialogues / seconds });
      [sum, dialogues, began] = [0, 0, performance.now()];
    }
    await trainer.checkpoint(output);
    if (!signal?.aborted) await trainer.save(output);
  } finally {
    await trainer.dispose();
  }
}
