/** Decisions by lot, all from one seeded `Random`. */
import type { Random } from "llava-webgpu/train";

/** A number in [low, high). */
export function between(random: Random, low: number, high: number): number {
  return low + (high - low) * random.uniform();
}

/** An integer in [low, high]. */
export function integerBetween(random: Random, low: number, high: number): number {
  return low + random.integer(high - low + 1);
}

/** True with a probability. */
export function chance(random: Random, probability: number): boolean {
  return random.uniform() < probability;
}

/** One of a list, each as likely. */
export function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.integer(list.length)];
}

/** One of a list by weights, which need not sum to 1. */
export function pickWeighted<T>(random: Random, list: readonly (readonly [value: T, weight: number])[]): T {
  let left = random.uniform() * list.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [value, weight] of list) {
    left -= weight;
    if (left < 0) return value;
  }
  return list.at(-1)![0];
}

/** The list in random order (Fisher and Yates). */
export function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const result = [...list];
  for (let i = result.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}
