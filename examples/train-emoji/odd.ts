/** Four drawings of which one does not belong. */
import type { Random } from "llava-webgpu/train";
import type { Concept } from "./concepts.ts";
import type { Drawing } from "./drawings.ts";
import { pick, shuffled } from "./lots.ts";

/** Drawings by what they show. */
export function byConcept(drawings: readonly Drawing[]): Map<Concept, Drawing[]> {
  const lists = new Map<Concept, Drawing[]>();
  for (const drawing of drawings) {
    const list = lists.get(drawing.concept);
    if (list) list.push(drawing);
    else lists.set(drawing.concept, [drawing]);
  }
  return lists;
}

/**
 * Three drawings of different concepts of one subgroup, and one of another group, in random order.
 *
 * @param next gives any drawing
 * @param siblings gives the concepts of a subgroup
 * @param drawings those to choose from, by concept
 */
export function oddFour(
  random: Random,
  next: () => Drawing,
  siblings: (subgroup: string) => readonly Concept[],
  drawings: ReadonlyMap<Concept, readonly Drawing[]>,
): Drawing[] {
  for (;;) {
    const { concept } = next();
    const known = siblings(concept.subgroup).filter((sibling) => drawings.has(sibling));
    const odd = next();
    if (known.length < 3 || odd.concept.group === concept.group) continue;
    const alike = shuffled(random, known).slice(0, 3).map((sibling) => pick(random, drawings.get(sibling)!));
    return shuffled(random, [odd, ...alike]);
  }
}
