import { defaultWorkers, PicturePool } from "../../input/picture-pool.ts";
import { checkCollateOptions, encodeSample, padSamples } from "./collate.ts";
import type { Batch, CollateOptions, EncodedSample, SampleProcessor } from "./collate.ts";
import { checkCount, DataError, EmptyBatchError, SampleError } from "./error.ts";
import { inOrder } from "./in-order.ts";
import { prefetch } from "./prefetch.ts";
import type { SampleSource } from "./reader.ts";
import type { Sampler, SamplerState } from "./sampler.ts";

/** A micro-batch and where the sampler stands behind it. */
export interface LoadedBatch {
  readonly batch: Batch;
  /** A sampler with this state goes on with the next batch: what a checkpoint keeps. */
  readonly state: SamplerState;
}

export interface LoadOptions extends CollateOptions {
  /** Batches that are made ahead. Default 2. */
  readonly ahead?: number;
  /**
   * Worker threads that decode and process pictures. Default: 2, but one core stays free. 0: the caller's thread does.
   * Batches are the same with any number.
   */
  readonly workers?: number;
}

/**
 * Endless batches: the sampler's next indices, read, encoded and padded, up to `ahead` of them while the caller is
 * busy. With `onBadSample: "skip"` bad samples are missing from their batch, and a batch of nothing else is passed
 * over.
 *
 * ```ts
 * for await (const { batch, state } of loadBatches(reader, sampler, llava, { template: "v1" })) await
 * trainer.step(batch);
 * ```
 *
 * Pictures are decoded in worker threads (see `PicturePool`), two samples for each of them being under way beside the
 * batches that are ready. Where no worker can be started the caller's thread decodes, while it waits for the GPU.
 *
 * @throws as `collate`; DataError if an epoch has no usable sample, or reader and sampler differ in their number;
 * PictureWorkerError if a worker dies
 */
export function loadBatches(
  source: SampleSource,
  sampler: Sampler,
  llava: SampleProcessor,
  { ahead = 2, workers = defaultWorkers(), ...options }: LoadOptions,
): AsyncGenerator<LoadedBatch, void, undefined> {
  checkCollateOptions(options);
  checkCount("loadBatches: workers", workers, 0);
  if (sampler.count !== source.count) {
    throw new DataError("sampler", `expected ${source.count} samples, as the data has, got ${sampler.count}`);
  }
  return prefetch(batches(source, sampler, llava, options, workers), ahead);
}

async function* batches(
  source: SampleSource,
  sampler: Sampler,
  llava: SampleProcessor,
  options: CollateOptions,
  workers: number,
): AsyncGenerator<LoadedBatch, void, undefined> {
  const pool = new PicturePool(workers);
  const encode = ({ index }: Turn) =>
    encodeSample(() => source.sample(index, options.signal), llava, options, pool.process);
  try {
    let kept: EncodedSample[] = [];
    let bad: SampleError | undefined;
    let empty = 0;
    // A worker that has done its sample finds the next one waiting, however busy this thread is.
    for await (const [{ behind, size }, outcome] of inOrder(turns(sampler), Math.max(1, 2 * workers), encode)) {
      if (outcome instanceof SampleError) {
        bad = outcome;
        options.report?.(outcome);
      } else {
        kept.push(outcome);
      }
      if (!behind) continue;
      if (kept.length > 0) {
        empty = 0;
        yield { batch: padSamples(kept, llava.config), state: behind };
      } else if (++empty > sampler.batchesPerEpoch) {
        const { message } = new EmptyBatchError(size, bad);
        throw new DataError("data", `expected a usable sample, got a whole epoch without one; ${message}`);
      }
      kept = [];
    }
  } finally {
    await pool.close();
  }
}

/** One sample's turn. */
interface Turn {
  readonly index: number;
  /** Samples of its batch. */
  readonly size: number;
  /** At the last sample of a batch: where the sampler stands behind it. */
  readonly behind?: SamplerState;
}

/** The sampler's samples, one by one, without end. */
function* turns(sampler: Sampler): Generator<Turn, never, undefined> {
  for (;;) {
    const indices = sampler.next();
    const { state } = sampler;
    const size = indices.length;
    for (const [i, index] of indices.entries()) yield { index, size, ...(i === size - 1 ? { behind: state } : {}) };
  }
}
