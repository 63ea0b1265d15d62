import { Random } from "../../kernels/random.ts";
import { OptionError } from "./errors.ts";
import {
  argmax,
  checkLogits,
  keepMinP,
  keepTopK,
  keepTopP,
  penaliseRepetition,
  scaleByTemperature,
  softmax,
} from "./logits.ts";

/** How the next token is chosen. Everything absent: greedy, the likeliest token always. */
export interface SamplerOptions {
  /** 0 (the default): greedy. Above 0: tokens are drawn at random; 1 leaves the model's distribution as it is. */
  readonly temperature?: number;
  /** Draw from the k likeliest tokens only; 0 (the default): from all. */
  readonly topK?: number;
  /** Draw from the smallest set of likeliest tokens that together have this probability; 1 (the default): from all. */
  readonly topP?: number;
  /** Draw only tokens at least this many times as likely as the likeliest one; 0 (the default): from all. */
  readonly minP?: number;
  /** Above 1 makes tokens of prompt and answer less likely to come again; 1 (the default): no change. */
  readonly repetitionPenalty?: number;
  /** The same seed gives the same choices from the same logits; absent: other choices every time. */
  readonly seed?: number;
}

interface Rule {
  readonly expected: string;
  readonly holds: (value: number) => boolean;
}

const rules: Readonly<Record<keyof SamplerOptions, Rule>> = {
  temperature: { expected: "a finite number of at least 0", holds: (t) => Number.isFinite(t) && t >= 0 },
  topK: { expected: "an integer of at least 1, or 0 for all tokens", holds: (k) => Number.isSafeInteger(k) && k >= 0 },
  topP: { expected: "a number greater than 0 and at most 1", holds: (p) => p > 0 && p <= 1 },
  minP: { expected: "a number from 0 to 1", holds: (p) => p >= 0 && p <= 1 },
  repetitionPenalty: { expected: "a finite number greater than 0", holds: (p) => Number.isFinite(p) && p > 0 },
  seed: { expected: "an integer", holds: Number.isSafeInteger },
};

/** @throws OptionError for the first option that is out of range; options of other names are not looked at */
export function checkSamplerOptions(options: SamplerOptions): void {
  for (const [option, { expected, holds }] of Object.entries(rules)) {
    const value: unknown = options[option as keyof SamplerOptions];
    if (value === undefined || (typeof value === "number" && holds(value))) continue;
    throw new OptionError(option, expected, value);
  }
}

/**
 * The scores that tokens are drawn by, [V]: repetition penalty, temperature, top-k, top-p and min-p in this order, as
 * transformers' generate(). Temperature 0 counts as 1 here.
 */
export function processLogits(logits: Float32Array, history: readonly number[], options: SamplerOptions): Float32Array {
  const { temperature = 0, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1 } = options;
  let scores = logits;
  if (repetitionPenalty !== 1) scores = penaliseRepetition(scores, history, repetitionPenalty);
  if (temperature !== 0 && temperature !== 1) scores = scaleByTemperature(scores, temperature);
  if (topK !== 0) scores = keepTopK(scores, topK);
  if (topP < 1) scores = keepTopP(scores, topP);
  if (minP > 0) scores = keepMinP(scores, minP);
  return scores;
}

/** Chooses one token after the other from logits on the CPU. */
export class Sampler {
  readonly #options: SamplerOptions;
  readonly #random: Random;

  /** @throws OptionError */
  constructor(options: SamplerOptions = {}) {
    checkSamplerOptions(options);
    this.#options = { ...options };
    this.#random = new Random(fold(options.seed ?? Math.floor(Math.random() * Number.MAX_SAFE_INTEGER)));
  }

  /**
   * The next token. With temperature 0 the largest logit wins, after the repetition penalty, the first among equals.
   * Otherwise one random number is drawn per call.
   *
   * @param logits [V]; not changed
   * @param history ids of prompt and answer so far, for the repetition penalty
   * @throws LogitsError if a logit is NaN or +infinity, or all of them are -infinity
   */
  next(logits: Float32Array, history: readonly number[]): number {
    checkLogits(logits);
    const { temperature = 0, repetitionPenalty } = this.#options;
    if (temperature === 0) return argmax(processLogits(logits, history, { repetitionPenalty }));
    return draw(softmax(processLogits(logits, history, this.#options)), this.#uniform());
  }

  /** A number in [0, 1) of 53 random bits: 32 would leave out the least likely tokens of a large vocabulary. */
  #uniform(): number {
    const high = this.#random.bits() >>> 5;
    const low = this.#random.bits() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }
}

/** The token at which the running sum of `probabilities` [V] passes `u`, a number in [0, 1). */
export function draw(probabilities: Float64Array, u: number): number {
  let sum = 0;
  let last = 0;
  for (let token = 0; token < probabilities.length; token++) {
    if (probabilities[token] === 0) continue;
    sum += probabilities[token];
    last = token;
    if (u < sum) return token;
  }
  return last; // rounding: the sum may end just below 1
}

/** All bits of a safe integer mixed into 32. */
function fold(seed: number): number {
  return (seed ^ Math.imul(Math.floor(seed / 2 ** 32), 0x9e3779b1)) >>> 0;
}
