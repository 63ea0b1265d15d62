import { shown } from "../../../errors/index.ts";
import { Random } from "../../../kernels/random.ts";
import { checkChoice, checkCount, DataError } from "./error.ts";
import { lengthGrouped, modalityGrouped } from "./grouping.ts";

/** The orders that samples can come in. */
export const sampleOrders = ["shuffle", "length", "modality", "file"] as const;

/**
 * "shuffle": at random. "length": samples of like length together. "modality": besides, nearly every batch is all with
 * or all without pictures (LLaVA's `group_by_modality_length`). "file": as they lie.
 */
export type SampleOrder = (typeof sampleOrders)[number];

export interface SamplerOptions {
  /** Samples of one micro-batch. */
  readonly batch: number;
  /** Micro-batches of one optimizer step, which are balanced against each other. Default 1. */
  readonly accumulate?: number;
  /** Default "shuffle". */
  readonly order?: SampleOrder;
  /** Any whole number; the same seed gives the same batches. Default 0. */
  readonly seed?: number;
  /** Of all samples, positive with pictures and negative without (`modalityLength`); for "length" and "modality". */
  readonly lengths?: ArrayLike<number>;
  /** Go on from here; its seed counts. */
  readonly state?: SamplerState;
}

/** Where a sampler stands: plain data, to be kept in a checkpoint. */
export interface SamplerState {
  readonly seed: number;
  /** Epochs that are done. */
  readonly epoch: number;
  /** Samples of this epoch that have been given. */
  readonly position: number;
}

/**
 * Endless batches of sample indices, each sample once an epoch, every epoch in another order. The last batch of an
 * epoch may be smaller. The same options and state give the same batches on every machine.
 */
export class Sampler {
  readonly #seed: number;
  readonly #options: SamplerOptions;
  #epoch = 0;
  #position = 0;
  #order: Uint32Array | undefined;

  /** @throws DataError for options that do not fit together */
  constructor(
    /** Samples of one epoch. */
    readonly count: number,
    options: SamplerOptions,
  ) {
    checkCount("sampler: count", count, 1);
    checkCount("sampler: batch", options.batch, 1);
    checkCount("sampler: accumulate", options.accumulate ?? 1, 1);
    checkChoice("sampler: order", options.order ?? "shuffle", sampleOrders);
    const grouped = options.order === "length" || options.order === "modality";
    if (grouped && options.lengths?.length !== count) {
      const got = options.lengths?.length ?? 0;
      throw new DataError("sampler: lengths", `expected one for each of ${count} samples, got ${got} lengths`);
    }
    const { seed, epoch, position } = options.state ?? { seed: options.seed ?? 0, epoch: 0, position: 0 };
    if (!Number.isSafeInteger(seed)) throw new DataError("sampler: seed", `expected a whole number, got ${shown(seed)}`);
    if (options.state && options.seed !== undefined && options.seed !== seed) {
      const problem = `expected the state's seed ${seed}, got ${options.seed}; leave it out to resume`;
      throw new DataError("sampler: seed", problem);
    }
    checkCount("sampler: state.epoch", epoch, 0);
    checkCount("sampler: state.position", position, 0);
    if (position > count) {
      const problem = `expected at most ${count}, got ${position}; did the data change?`;
      throw new DataError("sampler: state.position", problem);
    }
    this.#options = options;
    this.#seed = seed;
    this.#epoch = epoch;
    this.#position = position;
  }

  /** Where it stands: a new sampler with this state gives the batches that this one would give. */
  get state(): SamplerState {
    return { seed: this.#seed, epoch: this.#epoch, position: this.#position };
  }

  get batchesPerEpoch(): number {
    return Math.ceil(this.count / this.#options.batch);
  }

  /** Indices of the next micro-batch. */
  next(): number[] {
    if (this.#position >= this.count) {
      this.#epoch++;
      this.#position = 0;
      this.#order = undefined;
    }
    this.#order ??= this.#epochOrder();
    const batch = this.#order.subarray(this.#position, this.#position + this.#options.batch);
    this.#position += batch.length;
    return [...batch];
  }

  #epochOrder(): Uint32Array {
    const { batch, accumulate: world = 1, order = "shuffle", lengths = [] } = this.#options;
    const random = epochRandom(this.#seed, this.#epoch);
    const permute = (count: number) => permutation(count, random);
    if (order === "file") return Uint32Array.from({ length: this.count }, (_, i) => i);
    if (order === "shuffle") return permute(this.count);
    const group = order === "length" ? lengthGrouped : modalityGrouped;
    return Uint32Array.from(group(lengths, { batch, world }, permute).flat());
  }
}

/** A random permutation of 0 to count - 1 (Fisher and Yates, Durstenfeld's form). */
export function permutation(count: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** Random numbers of one epoch. Both numbers go through the generator, so that neighbouring seeds share nothing. */
function epochRandom(seed: number, epoch: number): Random {
  return new Random(new Random(seed).bits() ^ new Random(~epoch).bits());
}
