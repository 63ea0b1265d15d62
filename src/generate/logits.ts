import { LogitsError, OptionError } from "./errors.ts";

/**
 * The steps from logits [V] to a distribution over V tokens, each a pure function, in the order of transformers 5.23's
 * generate(): repetition penalty, temperature, top-k, top-p, min-p (source: its logits_process.py). A token that a step
 * excludes gets -infinity.
 */

/** A token with its logit. */
export interface TokenLogit {
  readonly token: number;
  readonly logit: number;
}

/** Index of the largest logit, the first one among equals. */
export function argmax(logits: Float32Array): number {
  let best = 0;
  for (let token = 1; token < logits.length; token++) if (logits[token] > logits[best]) best = token;
  return best;
}

/** @throws LogitsError if a logit is NaN or +infinity, or all of them are -infinity */
export function checkLogits(logits: Float32Array): void {
  let nan = 0;
  let infinite = 0;
  let finite = 0;
  for (const logit of logits) {
    if (Number.isNaN(logit)) nan++;
    else if (logit === Infinity) infinite++;
    else if (logit !== -Infinity) finite++;
  }
  if (nan + infinite > 0 || finite === 0) throw new LogitsError(logits.length, nan, infinite);
}

/**
 * Makes tokens that occurred before less likely (Keskar et al. 2019): the logit of every token in `history` is divided
 * by `penalty` if it is positive and multiplied by it if it is negative, once however often the token occurred. Ids
 * outside of the vocabulary are passed over.
 *
 * @param logits [V]
 * @param history prompt and answer so far
 * @param penalty > 0; above 1 discourages repetition, below 1 encourages it
 */
export function penaliseRepetition(logits: Float32Array, history: readonly number[], penalty: number): Float32Array {
  const penalised = logits.slice();
  for (const token of history) {
    const logit = logits[token];
    if (logit !== undefined) penalised[token] = logit < 0 ? logit * penalty : logit / penalty;
  }
  return penalised;
}

/**
 * (logits - max) / temperature, [V]: temperatures above 1 flatten the distribution, below 1 sharpen it. Taking off the
 * maximum changes no probability and keeps the smallest temperatures from overflowing.
 *
 * @param temperature > 0
 */
export function scaleByTemperature(logits: Float32Array, temperature: number): Float32Array {
  const max = logits[argmax(logits)];
  return logits.map((logit) => (logit - max) / temperature);
}

/** Excludes all logits smaller than the k-th largest, [V]; more than k tokens stay if some are equal to it. */
export function keepTopK(logits: Float32Array, k: number): Float32Array {
  if (k >= logits.length) return logits;
  const least = topLogits(logits, k)[k - 1].logit;
  return logits.map((logit) => (logit < least ? -Infinity : logit));
}

/**
 * Nucleus sampling (Holtzman et al. 2020): from the least likely token on, excludes tokens as long as their
 * probabilities together are at most 1 - p, [V]. The likeliest token always stays. Among equals the lower ids stay.
 *
 * @param p in (0, 1]
 */
export function keepTopP(logits: Float32Array, p: number): Float32Array {
  if (p >= 1) return logits;
  const probabilities = softmax(logits);
  // Probabilities below (1 - p) / V cannot add up to more than 1 - p: their tokens go without being sorted.
  const negligible = (1 - p) / logits.length;
  const candidates = probabilities.filter((probability) => probability >= negligible).sort();
  let excluded = 0;
  for (const probability of probabilities) if (probability < negligible) excluded += probability;
  const best = candidates.length - 1;
  let first = 0;
  while (first < best && excluded + candidates[first] <= 1 - p) excluded += candidates[first++];
  const least = candidates[first];
  let equals = candidates.lastIndexOf(least) - first + 1; // how many of probability `least` stay
  return logits.map((logit, token) => {
    const probability = probabilities[token];
    return probability > least || (probability === least && equals-- > 0) ? logit : -Infinity;
  });
}

/**
 * Excludes tokens less likely than p times the likeliest one, [V] (Nguyen et al. 2024). In terms of logits: those below
 * max + log p.
 *
 * @param p in [0, 1]
 */
export function keepMinP(logits: Float32Array, p: number): Float32Array {
  const least = logits[argmax(logits)] + Math.log(p);
  return logits.map((logit) => (logit < least ? -Infinity : logit));
}

/** exp(logit) / sum of exp, [V], in 64 bits. The largest logit must be finite. */
export function softmax(logits: Float32Array): Float64Array {
  const max = logits[argmax(logits)];
  const probabilities = new Float64Array(logits.length);
  let sum = 0;
  for (let token = 0; token < logits.length; token++) {
    if (logits[token] === -Infinity) continue;
    probabilities[token] = Math.exp(logits[token] - max);
    sum += probabilities[token];
  }
  for (let token = 0; token < logits.length; token++) probabilities[token] /= sum;
  return probabilities;
}

/**
 * The n largest logits in descending order, lower ids first among equals; all V of them if n is larger. A heap of n
 * entries passes over the logits once, so that a small n costs about as much as finding the maximum.
 *
 * @param logits [V]
 * @throws OptionError if n is not an integer of at least 0; LogitsError as `checkLogits`
 */
export function topLogits(logits: Float32Array, n: number): TokenLogit[] {
  if (!Number.isInteger(n) || n < 0) throw new OptionError("topLogits", "an integer of at least 0", n);
  checkLogits(logits);
  const worse = (a: number, b: number) => logits[a] < logits[b] || (logits[a] === logits[b] && a > b);
  const size = Math.min(n, logits.length);
  // A binary heap with the worst of the tokens kept at the root.
  const heap = Array.from({ length: size }, (_, token) => token);
  const sink = (start: number) => {
    let at = start;
    for (;;) {
      let worst = at;
      for (const child of [2 * at + 1, 2 * at + 2]) if (child < size && worse(heap[child], heap[worst])) worst = child;
      if (worst === at) return;
      [heap[at], heap[worst]] = [heap[worst], heap[at]];
      at = worst;
    }
  };
  for (let at = (size >> 1) - 1; at >= 0; at--) sink(at);
  if (size > 0) {
    for (let token = size; token < logits.length; token++) {
      // Later tokens lose against equals, so that only a larger logit gets in.
      if (logits[token] <= logits[heap[0]]) continue;
      heap[0] = token;
      sink(0);
    }
  }
  return heap.sort((a, b) => (worse(a, b) ? 1 : -1)).map((token) => ({ token, logit: logits[token] }));
}
