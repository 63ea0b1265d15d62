/** Losses of whole answers, such as those of preference learning. */
import { IGNORED } from "../ops/index.ts";
import type { TrainingInputs } from "./batch.ts";

/** The answers of a batch, one entry per sample. */
export interface SequenceScores {
  /** Σ log p(token | what stands before it), over the learning tokens. */
  readonly logProbabilities: Float64Array;
  /** Learning tokens. */
  readonly tokens: readonly number[];
}

/**
 * A loss of the log-probabilities of answers, with its derivative by each of them. Takes and gives one entry per
 * micro-batch of a step.
 */
export type SequenceLoss = (scores: readonly SequenceScores[]) => { readonly loss: number; readonly slopes: readonly ArrayLike<number>[] };

/** Sums the negative log-likelihoods [samples · length] of all positions by sample. */
export function sequenceScores(rows: ArrayLike<number>, { samples, length, values }: TrainingInputs): SequenceScores {
  const logProbabilities = new Float64Array(samples);
  const tokens = Array.from({ length: samples }, () => 0);
  values.labels!.forEach((label, at) => {
    if (label === IGNORED) return;
    const sample = Math.floor(at / length);
    logProbabilities[sample]! -= rows[at]!;
    tokens[sample]!++;
  });
  return { logProbabilities, tokens };
}

/** What the negative log-likelihood of every position counts, if sample b's log-probability has the slope `slopes[b]`. */
export function positionWeights(slopes: ArrayLike<number>, { samples, length }: TrainingInputs): Float32Array {
  return Float32Array.from({ length: samples * length }, (_, at) => -slopes[Math.floor(at / length)]!);
}
