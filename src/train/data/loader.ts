import { checkCollateOptions, encodeSamples, padSamples } from "./collate.ts";
import type { Batch, CollateOptions, SampleProcessor } from "./collate.ts";
import { DataError, EmptyBatchError } from "./error.ts";
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
 * Everything runs on the thread of the caller, so pictures are decoded while it waits for the GPU.
 * @throws as `collate`; DataError if an epoch has no usable sample, or reader and sampler differ in their number
 */
export function loadBatches(
  source: SampleSource,
  sampler: Sampler,
  llava: SampleProcessor,
  { ahead = 2, ...options }: LoadOptions,
): AsyncGenerator<LoadedBatch, void, undefined> {
  checkCollateOptions(options);
  if (sampler.count !== source.count) {
    throw new DataError("sampler", `expected ${source.count} samples, as the data has, got ${sampler.count}`);
  }
  return prefetch(batches(source, sampler, llava, options), ahead);
}

async function* batches(
  source: SampleSource,
  sampler: Sampler,
  llava: SampleProcessor,
  options: CollateOptions,
): AsyncGenerator<LoadedBatch, never, undefined> {
  let empty = 0;
  for (;;) {
    const reads = sampler.next().map((index) => () => source.sample(index, options.signal));
    const { state } = sampler;
    const encoded = await encodeSamples(reads, llava, options).catch((error: unknown) => {
      if (!(error instanceof EmptyBatchError)) throw error;
      if (++empty <= sampler.batchesPerEpoch) return [];
      throw new DataError("data", `expected a usable sample, got a whole epoch without one; ${error.message}`);
    });
    if (encoded.length === 0) continue;
    empty = 0;
    yield { batch: padSamples(encoded, llava.config), state };
  }
}
