/** Questions and answers about pictures of several drawings. */
import type { Random } from "llava-webgpu/train";
import type { Concept } from "./concepts.ts";
import { type Arrangement, emptyCells, type Layout, layouts } from "./layouts.ts";
import { chance, pick } from "./lots.ts";
import type { Questions, Turn } from "./questions.ts";
import { isAmong, wordings, yesNo } from "./wordings.ts";

/** The kinds, and how often each is asked in training. */
export const collageKinds = { count: 0.18, pos_name: 0.32, pos_kind: 0.16, where: 0.18, among: 0.12, odd: 0.04 } as const;

/** The kinds that search for a thing by its name, and others that help to find it. */
export const searchKinds = { where: 0.45, among: 0.4, pos_kind: 0.15 } as const;

export type CollageKind = keyof typeof collageKinds;

/** A picture of several drawings: what lies in each of the taken cells. */
export interface CollageSubject extends Arrangement {
  readonly concepts: readonly Concept[];
}

/** How often a question for a place asks for an empty one. */
const EMPTY = 0.12;

/** A question of one kind about a collage; undefined when it gives none (no names of cells, no odd one). */
export function askCollage(
  questions: Questions,
  { concepts, layout, cells }: CollageSubject,
  kind: CollageKind,
  random: Random,
): Turn | undefined {
  const turn = (wordings: readonly string[], answer: string): Turn => ({ kind, question: pick(random, wordings), answer });
  if (kind === "count") return turn(wordings.count, `${concepts.length}`);
  if (kind === "among") {
    const asked = chance(random, 0.5) ? pick(random, concepts) : questions.elsewhere(concepts, random);
    return turn(isAmong(asked.phrase), yesNo(concepts.includes(asked)));
  }
  const { places }: Layout = layouts[layout];
  if (places.length === 0) return undefined;
  const chosen = random.integer(concepts.length);
  const place = places[cells[chosen]];
  if (kind === "pos_name" || kind === "pos_kind") {
    const empty = emptyCells({ layout, cells });
    if (kind === "pos_name" && empty.length > 0 && chance(random, EMPTY)) {
      return turn([`What is ${places[pick(random, empty)]}?`], "nothing");
    }
    return kind === "pos_name"
      ? turn([`What is ${place}?`], concepts[chosen].name)
      : turn([`What kind of thing is ${place}?`], concepts[chosen].kind);
  }
  if (kind === "where") {
    const { name } = concepts[chosen];
    const alone = concepts.filter((concept) => concept.name === name).length === 1;
    return alone ? turn([`Where is the ${name}?`], place) : undefined;
  }
  const odd = oddOneOut(concepts);
  return odd < 0 ? undefined : turn(wordings.odd, places[cells[odd]]);
}

/** The only one of three or more whose group differs while all others share a subgroup; -1 when there is none. */
export function oddOneOut(concepts: readonly Concept[]): number {
  if (concepts.length < 3) return -1;
  return concepts.findIndex((concept, i) => {
    const [first, ...rest] = concepts.filter((_, j) => j !== i);
    return rest.every(({ subgroup }) => subgroup === first.subgroup) && concept.group !== first.group;
  });
}
