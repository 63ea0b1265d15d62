/** Questions and answers about one drawing. */
import type { Random } from "llava-webgpu/train";
import { type Attribute, attributes, truth } from "./attributes.ts";
import { ABSENT, type ColourName, colourNames, mainColours, SHOWN } from "./colours.ts";
import type { Concept } from "./concepts.ts";
import { chance, pick, pickWeighted } from "./lots.ts";
import { associations, description, hasColour, isNamed, isOfKind, joined, type Subject, wordings, yesNo } from "./wordings.ts";

/** One question with its answer. */
export interface Turn {
  readonly kind: string;
  readonly question: string;
  readonly answer: string;
}

/** The kinds of questions about one drawing, and how often each is asked in training. */
export const singleKinds = {
  name: 0.06, kind: 0.13, group: 0.06, colour: 0.09, colours: 0.08, tags: 0.06, describe: 0.07, count: 0.06,
  yn_name: 0.17, yn_kind: 0.08, yn_colour: 0.07, yn_attr: 0.1,
} as const;

/** The kinds of a quiz: all answered with yes or no. */
export const quizKinds = { yn_name: 0.3, yn_kind: 0.28, yn_colour: 0.28, yn_attr: 0.14 } as const;

export type SingleKind = keyof typeof singleKinds;

/** Kinds that need to know the drawing's colours. */
export const colourKinds: ReadonlySet<string> = new Set(["colour", "colours", "describe", "yn_colour"]);

/**
 * How often a colour is one of a drawing's colours, in the order of `colourNames`: questions whose answer is no ask for
 * usual colours as often as those whose answer is yes, or the colour alone would give the answer away.
 */
const usual = [0.14, 0.1, 0.13, 0.1, 0.16, 0.05, 0.05, 0.15, 0.09, 0.13, 0.13];

/** Whether a drawing shows a colour; undefined between 3 % and 15 %, where people could differ. */
export function showsColour({ shares }: Subject, colour: ColourName): boolean | undefined {
  const share = shares[colourNames.indexOf(colour)];
  if (share >= SHOWN) return true;
  return share < ABSENT ? false : undefined;
}

/** Asks about drawings; knows all concepts, for what a drawing is not. */
export class Questions {
  readonly concepts: readonly Concept[];
  readonly #bySubgroup = new Map<string, Concept[]>();

  constructor(concepts: readonly Concept[]) {
    this.concepts = concepts;
    for (const concept of concepts) {
      const list = this.#bySubgroup.get(concept.subgroup);
      if (list) list.push(concept);
      else this.#bySubgroup.set(concept.subgroup, [concept]);
    }
  }

  /** All concepts of a subgroup. */
  subgroup(subgroup: string): readonly Concept[] {
    return this.#bySubgroup.get(subgroup) ?? [];
  }

  /** A question of one kind; undefined when this drawing gives none. */
  about(subject: Subject, kind: SingleKind, random: Random): Turn | undefined {
    const { concept, shares } = subject;
    const turn = (questions: readonly string[], answer: string): Turn => ({ kind, question: pick(random, questions), answer });
    switch (kind) {
      case "name":
        return turn(wordings.name, concept.name);
      case "kind":
        return turn(wordings.kind, concept.kind);
      case "group":
        return turn(wordings.group, concept.category);
      case "colour":
        return turn(wordings.colour, mainColours(shares)[0]);
      case "colours":
        return turn(wordings.colours, joined(mainColours(shares)));
      case "tags": {
        const words = associations(concept);
        return words.length > 0 ? turn(wordings.tags, words.join(", ")) : undefined;
      }
      case "describe":
        return turn(wordings.describe, description(subject));
      case "count":
        return turn(wordings.count, "1");
      case "yn_name": {
        const asked = chance(random, 0.5) ? concept : this.other(concept, random);
        return turn(isNamed(asked.phrase), yesNo(asked === concept));
      }
      case "yn_kind": {
        const asked = chance(random, 0.5) ? concept : this.elsewhere([concept], random);
        return turn(isOfKind(asked.kind), yesNo(asked === concept));
      }
      case "yn_colour": {
        const yes = chance(random, 0.5);
        const colours = colourNames.filter((colour) => showsColour(subject, colour) === yes);
        if (colours.length === 0) return undefined;
        const colour = pickWeighted(random, colours.map((name) => [name, yes ? 1 : usual[colourNames.indexOf(name)]]));
        return turn(hasColour(colour), yesNo(yes));
      }
      case "yn_attr": {
        const [yes, no] = [true, false].map((answer) => attributes.filter((attribute) => truth(attribute, concept) === answer));
        // Most things have none: asking these less often than the others balances the answers.
        if (yes.length === 0 && (no.length === 0 || chance(random, 0.65))) return undefined;
        const is = yes.length > 0 && (no.length === 0 || chance(random, 0.85));
        const asked: Attribute = pick(random, is ? yes : no);
        return turn(asked.questions, yesNo(is));
      }
    }
  }

  /** A question of a random kind. */
  any(subject: Subject, random: Random, kinds: readonly (readonly [SingleKind, number])[]): Turn {
    return this.about(subject, pickWeighted(random, kinds), random) ?? this.about(subject, "name", random)!;
  }

  /** Another concept: every second time of the same subgroup, where there is one. */
  other(concept: Concept, random: Random): Concept {
    const siblings = this.subgroup(concept.subgroup).filter((sibling) => sibling !== concept);
    return siblings.length > 0 && chance(random, 0.5) ? pick(random, siblings) : this.elsewhere([concept], random);
  }

  /** A concept of none of these concepts' subgroups. */
  elsewhere(concepts: readonly Concept[], random: Random): Concept {
    const taken = new Set(concepts.map(({ subgroup }) => subgroup));
    for (;;) {
      const candidate = pick(random, this.concepts);
      if (!taken.has(candidate.subgroup)) return candidate;
    }
  }
}
