/** Questions and answers about two pictures. */
import type { Random } from "llava-webgpu/train";
import { type Attribute, attributes, truth } from "./attributes.ts";
import type { Concept } from "./concepts.ts";
import { chance, pick } from "./lots.ts";
import type { Turn } from "./questions.ts";
import { wordings, yesNo } from "./wordings.ts";

/** The kinds, and how often each is asked in training. */
export const pairKinds = { same: 0.25, same_kind: 0.25, both: 0.15, which: 0.2, nth_name: 0.15 } as const;

export type PairKind = keyof typeof pairKinds;

export type Pair = readonly [first: Concept, second: Concept];

const ordinals = ["first", "second"] as const;

/** A question of one kind about two pictures; undefined when they give none. */
export function askPair(pair: Pair, kind: PairKind, random: Random): Turn | undefined {
  const [first, second] = pair;
  const turn = (wordings: readonly string[], answer: string): Turn => ({ kind, question: pick(random, wordings), answer });
  switch (kind) {
    case "same":
      return turn(wordings.same, yesNo(first === second));
    case "same_kind":
      return turn(wordings.sameKind, yesNo(first.subgroup === second.subgroup));
    case "nth_name": {
      const i = random.integer(2);
      return turn([`What is in the ${ordinals[i]} picture?`], pair[i].name);
    }
    case "both": {
      const asked = attributes.filter((attribute) => verdicts(attribute, pair).includes(true));
      if (asked.length === 0) return undefined;
      const attribute = pick(random, asked);
      return turn([attribute.both], yesNo(verdicts(attribute, pair).every(Boolean)));
    }
    case "which": {
      const asked = attributes.filter((attribute) => verdicts(attribute, pair).includes(true));
      // Pairs of one kind abound: without this nearly every answer would be "both".
      if (asked.length === 0 || (first.subgroup === second.subgroup && chance(random, 0.6))) return undefined;
      const attribute = pick(random, asked);
      return turn([attribute.which], choice(verdicts(attribute, pair)));
    }
  }
}

/** For both pictures whether they have the attribute; nothing when one is doubtful. */
function verdicts(attribute: Attribute, pair: Pair): boolean[] {
  const known = pair.map((concept) => truth(attribute, concept));
  return known.every((verdict) => verdict !== undefined) ? known : [];
}

function choice([first, second]: readonly boolean[]): string {
  if (first && second) return "both";
  return first ? "the first one" : "the second one";
}
