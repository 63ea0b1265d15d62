/** How much of making batches hides behind the GPU. */
import type { Llava } from "../../src/index.ts";
import { type CollateOptions, loadBatches, Sampler, samplesOf, type Trainer, type TrainingBatch } from "../../src/train/index.ts";
import { type Contender, race, type RaceOptions, speedup, timed } from "../measure.ts";
import type { LoadingRecord } from "../records.ts";

export interface Loading {
  readonly llava: Llava;
  readonly trainer: Trainer;
  /** One batch of the same shape as all that are loaded. */
  readonly batch: TrainingBatch;
  readonly samples: readonly unknown[];
  readonly options: CollateOptions;
  /** Steps of one sample of the clock. */
  readonly steps: number;
}

/**
 * Times steps on one batch that is there, steps on batches that are read from PNG files and JSON meanwhile, and the making of
 * batches alone.
 */
export async function measureLoading({ llava, trainer, batch, samples, options, steps }: Loading, rounds: RaceOptions): Promise<LoadingRecord> {
  const source = samplesOf(samples);
  const batches = () => loadBatches(source, new Sampler(source.count, { batch: batch.inputIds.length }), llava, options);
  const without: Contender = {
    sample: () => timed(async () => {
      for (let i = 0; i < steps; i++) await trainer.step(batch);
    }),
  };
  const loaded = (use: (given: TrainingBatch) => Promise<unknown>): Contender => ({
    sample: async () => {
      const iterator = batches();
      const next = async (): Promise<unknown> => use((await iterator.next()).value!.batch);
      // The first batch finds nothing to hide behind; the clock starts when the next ones are made.
      await next();
      const sample = await timed(async () => {
        for (let i = 0; i < steps; i++) await next();
      });
      await iterator.return();
      return sample;
    },
  });
  const contenders = [without, loaded((given) => trainer.step(given)), loaded(async () => undefined)];
  const [alone, together, batchesAlone] = await race(contenders, { ...rounds, atLeast: 0 });
  const perStep = (milliseconds: number): number => milliseconds / steps;
  const ratio = speedup(together, alone);
  const added = (ratio - 1) * alone.median;
  return {
    step: perStep(alone.median),
    withLoading: perStep(together.median),
    batch: perStep(batchesAlone.median),
    ratio,
    hidden: Math.min(1, 1 - added / batchesAlone.median),
  };
}
