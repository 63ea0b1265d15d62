/** Losses of whole answers, such as those of preference learning. */
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

/** Sums the negative log-likelihoods of the rows of the head by sample. */
export function sequenceScores(rows: ArrayLike<number>, { samples, learners }: TrainingInputs): SequenceScores {
  const logProbabilities = new Float64Array(samples);
  const tokens = Array.from({ length: samples }, () => 0);
  learners.forEach((sample, row) => {
    logProbabilities[sample]! -= rows[row]!;
    tokens[sample]!++;
  });
  return { logProbabilities, tokens };
}

/** What the negative log-likelihood of every row of the head counts, if sample b's log-probability has the slope `slopes[b]`. */
export function positionWeights(slopes: ArrayLike<number>, { learners, headRows }: TrainingInputs): Float32Array {
  const weights = new Float32Array(headRows);
  learners.forEach((sample, row) => (weights[row] = -slopes[sample]!));
  return weights;
}
