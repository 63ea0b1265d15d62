/** Direct preference optimisation (Rafailov et al. 2023): learning from pairs of answers of which one is preferred. */
import type { HostTensor } from "../generate/runtime.ts";
import { OptionError } from "../generate/errors.ts";
import type { SequenceScores } from "./sequences.ts";
import type { StepResult, Trainer } from "./trainer.ts";
import type { TrainingBatch } from "./training-batch.ts";

export interface DpoOptions {
  /** How closely the policy is held to the reference. Default 0.1. */
  readonly beta?: number;
  /** Probability that a preference is the wrong way round (Mitchell 2023), from 0 to below 0.5. Default 0. */
  readonly labelSmoothing?: number;
  /** Weight of the mean cross entropy of the chosen answers' tokens. Default 0. */
  readonly supervised?: number;
}

/** Pairs of answers. Of 2n samples, sample i < n is a chosen answer and sample n + i the rejected one to the same question. */
export interface PreferenceBatch {
  readonly batch: TrainingBatch;
  /** The reference's log-probabilities of all answers: `referenceLogProbabilities`. */
  readonly reference: ArrayLike<number>;
}

export interface DpoResult {
  /** Mean of `losses`, plus the supervised term. */
  readonly loss: number;
  /** Of every pair. */
  readonly losses: number[];
  /** beta · (log p of the policy - log p of the reference), of every pair. */
  readonly chosenRewards: number[];
  readonly rejectedRewards: number[];
  /** Share of the pairs whose chosen answer has the higher reward. */
  readonly accuracy: number;
  /** Derivative of the loss by every log-probability of the policy, per batch. */
  readonly slopes: Float64Array[];
}

/**
 * The reference's log-probabilities of a batch's answers. The reference is the model as it is now: ask before the first
 * step, once for all batches. Nothing is dropped out.
 */
export async function referenceLogProbabilities(trainer: Trainer, batch: TrainingBatch): Promise<Float64Array> {
  return (await trainer.scores(batch)).logProbabilities;
}

/**
 * The sigmoid loss of preference pairs, with h the difference of a pair's rewards: -(1 - s) log σ(h) - s log σ(-h), mean
 * over all pairs of all batches, plus `supervised` times the mean cross entropy of the chosen answers. As in TRL's
 * `DPOTrainer`. Throws `OptionError`.
 *
 * @param scores of the policy
 * @param references log-probabilities of the reference
 */
export function dpoLoss(
  scores: readonly SequenceScores[],
  references: readonly ArrayLike<number>[],
  { beta = 0.1, labelSmoothing = 0, supervised = 0 }: DpoOptions = {},
): DpoResult {
  checkOptions(beta, labelSmoothing, supervised);
  checkPairs(scores, references);
  const pairsOf = ({ logProbabilities }: SequenceScores) => logProbabilities.length / 2;
  const pairs = scores.reduce((sum, batch) => sum + pairsOf(batch), 0);
  const chosenTokens = scores.reduce((sum, batch) => sum + total(batch.tokens.slice(0, pairsOf(batch))), 0);
  const result = { losses: [] as number[], chosenRewards: [] as number[], rejectedRewards: [] as number[] };
  let crossEntropy = 0;
  const slopes = scores.map((batch, b) => {
    const n = pairsOf(batch);
    const slope = new Float64Array(2 * n);
    for (let i = 0; i < n; i++) {
      const [chosen, rejected] = [i, n + i].map((at) => beta * (batch.logProbabilities[at]! - references[b]![at]!)) as [number, number];
      const margin = chosen - rejected;
      result.losses.push(-(1 - labelSmoothing) * logSigmoid(margin) - labelSmoothing * logSigmoid(-margin));
      result.chosenRewards.push(chosen);
      result.rejectedRewards.push(rejected);
      const step = (beta / pairs) * (labelSmoothing * sigmoid(margin) - (1 - labelSmoothing) * sigmoid(-margin));
      const share = supervised === 0 ? 0 : supervised / Math.max(1, chosenTokens);
      slope[i] = step - share;
      slope[n + i] = -step;
      crossEntropy -= share * batch.logProbabilities[i]!;
    }
    return slope;
  });
  const right = result.chosenRewards.filter((reward, i) => reward > result.rejectedRewards[i]!).length;
  return { loss: total(result.losses) / pairs + crossEntropy, ...result, accuracy: right / pairs, slopes };
}

/** The loss of a batch of pairs and the gradients of what learns. Nothing is updated. Throws `OptionError`, `BatchError`. */
export async function dpoGradients(
  trainer: Trainer,
  { batch, reference }: PreferenceBatch,
  options: DpoOptions = {},
): Promise<DpoResult & { gradients: Record<string, HostTensor> }> {
  let result!: DpoResult;
  const { gradients } = await trainer.gradients(batch, (scores) => (result = dpoLoss(scores, [reference], options)));
  return { ...result, gradients };
}

/** One optimizer step on pairs, or on several micro-batches of them. Throws `OptionError`, `BatchError`, `DivergedError`. */
export async function dpoStep(
  trainer: Trainer,
  batches: PreferenceBatch | readonly PreferenceBatch[],
  options: DpoOptions = {},
): Promise<DpoResult & StepResult> {
  const micro = Array.isArray(batches) ? (batches as readonly PreferenceBatch[]) : [batches as PreferenceBatch];
  const references = micro.map(({ reference }) => reference);
  let result!: DpoResult;
  const step = await trainer.step(micro.map(({ batch }) => batch), (scores) => (result = dpoLoss(scores, references, options)));
  return { ...result, ...step };
}

/** log σ(x) without overflow. */
function logSigmoid(x: number): number {
  return Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
}

function sigmoid(x: number): number {
  return Math.exp(logSigmoid(x));
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function checkOptions(beta: number, labelSmoothing: number, supervised: number): void {
  if (!(Number.isFinite(beta) && beta > 0)) throw new OptionError("beta", "a number above 0", beta);
  if (!(labelSmoothing >= 0 && labelSmoothing < 0.5)) throw new OptionError("labelSmoothing", "a number from 0 to below 0.5", labelSmoothing);
  if (!(Number.isFinite(supervised) && supervised >= 0)) throw new OptionError("supervised", "a number of at least 0", supervised);
}

function checkPairs(scores: readonly SequenceScores[], references: readonly ArrayLike<number>[]): void {
  scores.forEach(({ logProbabilities: { length } }, b) => {
    if (length % 2 !== 0) throw new OptionError("batch", "as many chosen as rejected answers", `${length} samples`);
    const got = references[b]?.length;
    if (got !== length) throw new OptionError("reference", `${length} log-probabilities, one per sample`, got);
  });
}
