/** Which drawings to show how often. */
import type { Random } from "llava-webgpu/train";
import type { Drawing } from "./drawings.ts";
import { vendors } from "./vendors.ts";

/** Draws drawings by weight: vendors by their table, and concepts of more than seven drawings no more often than those of seven. */
export class DrawingSampler {
  readonly drawings: readonly Drawing[];
  /** Running sums of the weights. */
  readonly #sums: Float64Array;

  constructor(drawings: readonly Drawing[]) {
    this.drawings = drawings;
    const count = new Map<number, number>();
    for (const { concept } of drawings) count.set(concept.id, (count.get(concept.id) ?? 0) + 1);
    const weights = new Map(vendors.map(({ name, weight }) => [name, weight || 1]));
    let sum = 0;
    this.#sums = Float64Array.from(drawings, ({ vendor, concept }) => {
      return (sum += (weights.get(vendor) ?? 1) * Math.min(1, 7 / count.get(concept.id)!));
    });
  }

  /** One drawing. */
  next(random: Random): Drawing {
    const at = random.uniform() * this.#sums.at(-1)!;
    let [low, high] = [0, this.#sums.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sums[middle] > at) high = middle;
      else low = middle + 1;
    }
    return this.drawings[low];
  }
}
