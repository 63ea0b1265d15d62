/** Training examples: one or two pictures, and a dialogue of some questions about them. */
import type { Random } from "llava-webgpu/train";
import { type Augmented, Augmenter } from "./augment.ts";
import { CollagePainter } from "./collage.ts";
import { askCollage, type CollageKind, collageKinds, searchKinds } from "./collage-questions.ts";
import type { Concept } from "./concepts.ts";
import type { Drawing } from "./drawings.ts";
import { arrange } from "./layouts.ts";
import { between, chance, integerBetween, pick, pickWeighted, shuffled } from "./lots.ts";
import { byConcept, oddFour } from "./odd.ts";
import { askPair, pairKinds } from "./pair-questions.ts";
import { cutMiddle, type Picture, quarterOf } from "./picture.ts";
import { colourKinds, Questions, quizKinds, type SingleKind, singleKinds, type Turn } from "./questions.ts";
import { DrawingSampler } from "./sampler.ts";
import { askSign, signKinds } from "./sign-questions.ts";
import { SignPainter } from "./sign.ts";
import type { WordMask } from "./words.ts";

/** One example. The pictures belong before the first question, one `<image>` each. */
export interface Example {
  readonly images: readonly Picture[];
  readonly turns: readonly Turn[];
}

/**
 * What the pictures show: one drawing in one tile ("name", "single", "quiz") or in four ("large"), several drawings ("collage",
 * "search"), two pictures in one tile each ("pair") or in four ("largePair"), a word beside a drawing ("sign") or alone in one tile
 * ("word"). "name" asks nothing but the name, a quiz many questions that are answered with yes or no, a search where things are
 * and whether they are there.
 */
export const exampleKinds = ["name", "single", "quiz", "large", "collage", "search", "pair", "largePair", "sign", "word"] as const;

export type ExampleKind = (typeof exampleKinds)[number];

export interface DialogueOptions {
  readonly concepts: readonly Concept[];
  /** Drawings to learn from. */
  readonly drawings: readonly Drawing[];
  /** Words to read; without any there are no signs. */
  readonly words?: readonly WordMask[];
  /** Side of a tile: of pictures of one drawing, unless they are large; the others have twice as much. */
  readonly tile: number;
  /** Fewest and most questions of an example; by default the more, the longer its pictures are. */
  readonly turns?: readonly [number, number];
}

/** Numbers of drawings of a collage, by weight. */
const counts = [[2, 26], [3, 20], [4, 24], [5, 11], [6, 11], [7, 2], [8, 2], [9, 4]] as const;

/** Fewest and most questions of each sort of example: pictures of many tokens are worth more of them. */
const turnsOf: Readonly<Record<ExampleKind, readonly [number, number]>> = {
  name: [1, 1], single: [2, 5], quiz: [9, 13], large: [4, 7], collage: [4, 8], search: [7, 12], pair: [6, 10], largePair: [6, 10],
  sign: [1, 3], word: [1, 1],
};

/** How the two pictures of a pair are related: about half of the questions whether they are the same get a yes. */
const relations = [["same", 0.4], ["sibling", 0.2], ["any", 0.4]] as const;

/** Kinds that a dialogue may ask more than once, about another thing each time. */
const repeatable: ReadonlySet<string> = new Set([
  "yn_name", "yn_kind", "yn_colour", "yn_attr", "among", "pos_name", "pos_kind", "where", "both", "which", "nth_name",
]);

const weights = <K extends string>(kinds: Readonly<Record<K, number>>): [K, number][] => Object.entries(kinds) as [K, number][];

/** How often each sort of example is made, unless one is asked for: all questions, and all answers. */
const mix: [ExampleKind, number][] = [["single", 0.4], ["quiz", 0.08], ["large", 0.1], ["collage", 0.24], ["pair", 0.08], ["sign", 0.1]];

/** What may be asked about a picture whose colours are the drawing's, and about others. */
function lotsOf<K extends SingleKind>(kinds: Readonly<Record<K, number>>): Record<"faithful" | "recoloured", [SingleKind, number][]> {
  const faithful: [SingleKind, number][] = weights(kinds);
  return { faithful, recoloured: faithful.filter(([kind]) => !colourKinds.has(kind)) };
}
const singleLots = lotsOf(singleKinds);
const quizLots = lotsOf(quizKinds);
const collageLots: Readonly<Record<"collage" | "search", [CollageKind, number][]>> = { collage: weights(collageKinds), search: weights(searchKinds) };
const pairLots = weights(pairKinds);
const signLots = weights(signKinds);

/** Makes training examples; the same random numbers give the same examples. */
export class DialogueMaker {
  readonly #questions: Questions;
  readonly #sampler: DrawingSampler;
  readonly #byConcept: ReadonlyMap<Concept, readonly Drawing[]>;
  readonly #words: readonly WordMask[];
  readonly #augmenter: Augmenter;
  readonly #largeAugmenter: Augmenter;
  readonly #collages: CollagePainter;
  readonly #signs: SignPainter;
  readonly #turns: readonly [number, number] | undefined;

  constructor({ concepts, drawings, words = [], tile, turns }: DialogueOptions) {
    this.#questions = new Questions(concepts);
    this.#sampler = new DrawingSampler(drawings);
    this.#byConcept = byConcept(drawings);
    this.#augmenter = new Augmenter(tile);
    this.#largeAugmenter = new Augmenter(2 * tile);
    this.#collages = new CollagePainter(2 * tile);
    this.#signs = new SignPainter(tile);
    this.#words = words.filter((word) => this.#signs.fits(word));
    this.#turns = turns;
  }

  /** One example, of a random sort unless `kind` says which. */
  next(random: Random, kind: ExampleKind = pickWeighted(random, mix)): Example {
    if (kind === "collage" || kind === "search") return this.#collage(random, kind);
    if (kind === "pair" || kind === "largePair") return this.#pair(random, kind);
    if ((kind === "sign" || kind === "word") && this.#words.length > 0) return this.#sign(random, kind);
    if (kind === "quiz" || (kind === "large" && chance(random, 0.5))) return this.#quiz(random, kind);
    return this.#single(random, kind === "large" || kind === "name" ? kind : "single");
  }

  /** Every third large picture is wider than tall or taller than wide. */
  #augment(drawing: Drawing, kind: ExampleKind, random: Random): Augmented {
    if (kind !== "large" && kind !== "largePair") return this.#augmenter.augment(drawing, random);
    if (!chance(random, 0.35)) return this.#largeAugmenter.augment(drawing, random);
    const short = between(random, 0.6, 0.9);
    const { picture, faithful } = this.#largeAugmenter.augment(drawing, random, { scale: [0.75 * short, short] });
    const side = Math.round(short * picture.width);
    const [width, height] = chance(random, 0.5) ? [picture.width, side] : [side, picture.height];
    return { picture: cutMiddle(picture, width, height), faithful };
  }

  /** Mostly the name comes first, before any other answer gives it away; later answers can build on it. */
  #single(random: Random, kind: ExampleKind): Example {
    const drawing = this.#sampler.next(random);
    const { picture, faithful } = this.#augment(drawing, kind, random);
    const lots = singleLots[faithful ? "faithful" : "recoloured"];
    const name = this.#questions.about(drawing, "name", random)!;
    const ask = (): Turn | undefined => this.#questions.about(drawing, pickWeighted(random, lots), random);
    const turns = this.#collect(random, kind, ask, [name]);
    return { images: [picture], turns: chance(random, 0.75) ? [name, ...shuffled(random, turns.slice(1))] : shuffled(random, turns) };
  }

  /**
   * Questions that only the picture answers: never the name, and after the yes to one name or kind no other is asked, since
   * all would be answered with no.
   */
  #quiz(random: Random, kind: ExampleKind): Example {
    const drawing = this.#sampler.next(random);
    const { picture, faithful } = this.#augment(drawing, kind, random);
    const lots = quizLots[faithful ? "faithful" : "recoloured"];
    const known = new Set<string>();
    const ask = (): Turn | undefined => {
      const turn = this.#questions.about(drawing, pickWeighted(random, lots), random);
      if (!turn || known.has(turn.kind)) return undefined;
      if (turn.answer === "Yes" && (turn.kind === "yn_name" || turn.kind === "yn_kind")) known.add(turn.kind);
      return turn;
    };
    return { images: [picture], turns: this.#collect(random, kind, ask, []) };
  }

  #collage(random: Random, kind: "collage" | "search"): Example {
    const odd = kind === "collage" && chance(random, 0.1);
    const drawings = odd ? this.#four(random) : this.#several(pickWeighted(random, counts), random);
    const arrangement = arrange(drawings.length, random);
    const { picture } = this.#collages.paint(drawings, arrangement, random);
    const subject = { concepts: drawings.map(({ concept }) => concept), ...arrangement };
    const ask = (): Turn | undefined => askCollage(this.#questions, subject, pickWeighted(random, collageLots[kind]), random);
    const first = odd ? askCollage(this.#questions, subject, "odd", random) : undefined;
    return { images: [picture], turns: shuffled(random, this.#collect(random, kind, ask, first ? [first] : [])) };
  }

  #four(random: Random): Drawing[] {
    return oddFour(random, () => this.#sampler.next(random), (subgroup) => this.#questions.subgroup(subgroup), this.#byConcept);
  }

  #several(count: number, random: Random): Drawing[] {
    return Array.from({ length: count }, () => this.#sampler.next(random));
  }

  /** Two pictures: of one concept, of one subgroup, or of any two things. */
  #pair(random: Random, kind: "pair" | "largePair"): Example {
    const first = this.#sampler.next(random);
    const relation = pickWeighted(random, relations);
    const known = (concept: Concept): boolean => this.#byConcept.has(concept);
    const candidates = relation === "same" ? [first.concept] : this.#questions.subgroup(first.concept.subgroup).filter(known);
    const second = relation === "any" ? this.#sampler.next(random) : pick(random, this.#byConcept.get(pick(random, candidates))!);
    const images = [first, second].map((drawing) => this.#augment(drawing, kind, random).picture);
    const ask = (): Turn | undefined =>
      askPair([first.concept, second.concept], pickWeighted(random, pairLots), random);
    return { images, turns: shuffled(random, this.#collect(random, kind, ask, [])) };
  }

  #sign(random: Random, kind: "sign" | "word"): Example {
    const drawing = this.#sampler.next(random);
    const { picture, ...sign } = this.#signs.paint(drawing, pick(random, this.#words), random);
    const read = askSign(sign, drawing.concept, "read", random);
    if (kind === "word") return { images: [quarterOf(picture, sign.corner)], turns: [read] };
    const ask = (): Turn => askSign(sign, drawing.concept, pickWeighted(random, signLots), random);
    return { images: [picture], turns: shuffled(random, this.#collect(random, "sign", ask, [read])) };
  }

  /** Adds questions to those given until there are as many as drawn by lot, or the picture gives no more; at least one. */
  #collect(random: Random, kind: ExampleKind, ask: () => Turn | undefined, given: readonly Turn[]): Turn[] {
    const turns = [...given];
    const wanted = integerBetween(random, ...(this.#turns ?? turnsOf[kind]));
    const key = ({ kind, question }: Turn): string => (repeatable.has(kind) ? question : kind);
    const asked = new Set(turns.map(key));
    for (let tries = 0; turns.length === 0 || (turns.length < wanted && tries < 8 * wanted); tries++) {
      const turn = ask();
      if (!turn || asked.has(key(turn))) continue;
      asked.add(key(turn));
      turns.push(turn);
    }
    return turns;
  }
}
