/**
 * The evaluation sets: drawings of vendors that training never saw, placed as their vendors did, 72 px over white, and
 * signs in a font that training never saw. The same seed gives the same questions.
 */
import { Random } from "llava-webgpu/train";
import { attributes, truth } from "./attributes.ts";
import { cellOf } from "./collage.ts";
import { askCollage, type CollageKind, collageKinds } from "./collage-questions.ts";
import type { Concept } from "./concepts.ts";
import { type Drawing, EVALUATED } from "./drawings.ts";
import { fill } from "./ground.ts";
import { arrange, type Arrangement, type LayoutName, layouts } from "./layouts.ts";
import { chance, integerBetween, pick } from "./lots.ts";
import { byConcept, oddFour } from "./odd.ts";
import { askPair, type PairKind, pairKinds } from "./pair-questions.ts";
import { makeCanvas, type Picture, toPicture } from "./picture.ts";
import { Questions, type SingleKind, type Turn } from "./questions.ts";
import { resizeSquare } from "./resize.ts";
import { askSign } from "./sign-questions.ts";
import { SignPainter } from "./sign.ts";
import { wordings, yesNo } from "./wordings.ts";
import type { WordMask } from "./words.ts";

/** One question with its reference answer. */
export interface EvaluationItem extends Turn {
  readonly images: readonly Picture[];
  /** Names of what the pictures show. */
  readonly shows: readonly string[];
  /** The vendor. */
  readonly set: string;
  readonly layout?: LayoutName;
  readonly cells?: readonly number[];
}

/** All kinds of questions that are evaluated; `colour` asks for the main colour or for all of them. */
export const evaluatedKinds = [
  "name", "kind", "group", "colour", "tags", "describe", "count", "yn_name", "yn_kind", "yn_colour", "yn_attr",
  "pos_name", "pos_kind", "where", "among", "odd", "same", "same_kind", "both", "which", "nth_name", "read",
] as const;

export type EvaluatedKind = (typeof evaluatedKinds)[number];

export interface HeldOutOptions {
  readonly concepts: readonly Concept[];
  /** Of each held-out vendor. */
  readonly heldOut: Readonly<Record<string, readonly Drawing[]>>;
  /** Words in the held-out font. */
  readonly words: readonly WordMask[];
  /** Side of a tile: signs have twice as much. */
  readonly tile: number;
}

/** "What is this?" about every drawing of a vendor. */
export function nameEverything({ heldOut }: Pick<HeldOutOptions, "heldOut">, set: string): EvaluationItem[] {
  return heldOut[set].map((drawing): EvaluationItem => {
    const { name } = drawing.concept;
    return { kind: "name", question: wordings.name[0], answer: name, images: [asPlaced(drawing)], shows: [name], set };
  });
}

/** Draws questions about held-out drawings by lot. */
export class HeldOut {
  readonly #options: HeldOutOptions;
  readonly #questions: Questions;
  readonly #signs: SignPainter;
  readonly #words: readonly WordMask[];

  constructor(options: HeldOutOptions) {
    this.#options = options;
    this.#questions = new Questions(options.concepts);
    this.#signs = new SignPainter(options.tile);
    this.#words = options.words.filter((word) => this.#signs.fits(word));
  }

  /** `count` questions of one kind about drawings of one vendor. */
  items(set: string, kind: EvaluatedKind, count: number, seed: number): EvaluationItem[] {
    const random = new Random(seed);
    return Array.from({ length: count }, () => {
      for (;;) {
        const item = this.#item(set, kind, random);
        if (item) return { ...item, kind, set };
      }
    });
  }

  #item(set: string, kind: EvaluatedKind, random: Random): Omit<EvaluationItem, "set"> | undefined {
    if (kind === "yn_attr") return this.#attribute(set, random);
    if (kind === "read") return this.#sign(set, random);
    if (kind in pairKinds) return this.#pair(set, kind as PairKind, random);
    return kind in collageKinds ? this.#collage(set, kind as CollageKind, random) : this.#single(set, kind as SingleKind, random);
  }

  #drawing(set: string, random: Random): Drawing {
    return pick(random, this.#options.heldOut[set]);
  }

  #single(set: string, kind: SingleKind, random: Random): Omit<EvaluationItem, "set"> | undefined {
    const drawing = this.#drawing(set, random);
    const turn = this.#questions.about(drawing, kind === "colour" && chance(random, 0.5) ? "colours" : kind, random);
    return turn && { ...turn, images: [asPlaced(drawing)], shows: [drawing.concept.name] };
  }

  /** As many yes as no: the answer is chosen first, then something that has it. */
  #attribute(set: string, random: Random): Omit<EvaluationItem, "set"> {
    const yes = chance(random, 0.5);
    for (;;) {
      const drawing = this.#drawing(set, random);
      const attribute = pick(random, attributes);
      if (truth(attribute, drawing.concept) !== yes) continue;
      const question = pick(random, attribute.questions);
      return { kind: "yn_attr", question, answer: yesNo(yes), images: [asPlaced(drawing)], shows: [drawing.concept.name] };
    }
  }

  /** One to six drawings to count, two to four otherwise. */
  #collage(set: string, kind: CollageKind, random: Random): Omit<EvaluationItem, "set"> | undefined {
    const count = kind === "count" ? integerBetween(random, 1, 6) : integerBetween(random, 2, 4);
    if (count === 1) return this.#single(set, "count", random);
    const next = (): Drawing => this.#drawing(set, random);
    const drawings = kind === "odd"
      ? oddFour(random, next, (subgroup) => this.#questions.subgroup(subgroup), byConcept(this.#options.heldOut[set]))
      : Array.from({ length: count }, next);
    const concepts = drawings.map(({ concept }) => concept);
    if (new Set(concepts).size < concepts.length) return undefined;
    const arrangement = arrange(drawings.length, random);
    const turn = askCollage(this.#questions, { concepts, ...arrangement }, kind, random);
    return turn && { ...turn, images: [placeTogether(drawings, arrangement)], shows: concepts.map(({ name }) => name), ...arrangement };
  }

  /** The second picture is another held-out vendor's, so that the same thing never means the same picture. */
  #pair(set: string, kind: PairKind, random: Random): Omit<EvaluationItem, "set"> | undefined {
    const { heldOut } = this.#options;
    const other = Object.keys(heldOut).find((name) => name !== set) ?? set;
    const first = this.#drawing(set, random);
    const { concept } = first;
    const [alike, unlike] = kind === "same"
      ? [concept, this.#questions.other(concept, random)]
      : [pick(random, this.#questions.subgroup(concept.subgroup)), this.#questions.elsewhere([concept], random)];
    const wanted = chance(random, 0.5) ? alike : unlike;
    const second = heldOut[other].find(({ concept }) => concept === wanted);
    const turn = second && askPair([concept, second.concept], kind, random);
    return turn && { ...turn, images: [asPlaced(first), asPlaced(second)], shows: [concept.name, second.concept.name] };
  }

  #sign(set: string, random: Random): Omit<EvaluationItem, "set"> {
    const drawing = this.#drawing(set, random);
    const { picture, ...sign } = this.#signs.paint(drawing, pick(random, this.#words), random);
    return { ...askSign(sign, drawing.concept, "read", random), images: [picture], shows: [drawing.concept.name] };
  }
}

/** A held-out drawing as its vendor placed it, 72 px over white. */
export function asPlaced({ natural }: Drawing): Picture {
  return { width: EVALUATED, height: EVALUATED, data: natural! };
}

/** Held-out drawings in the middle of their cells on white, 144 px, as the first emoji-llava's evaluation set has them. */
export function placeTogether(drawings: readonly Drawing[], arrangement: Arrangement): Picture {
  const side = 2 * EVALUATED;
  const canvas = makeCanvas(side);
  fill(canvas, [1, 1, 1]);
  const picture = toPicture(canvas);
  const { columns, rows } = layouts[arrangement.layout];
  const size = Math.floor(side / Math.max(2, columns, rows));
  for (const [i, drawing] of drawings.entries()) {
    const cell = cellOf(arrangement, arrangement.cells[i], side);
    const { data } = size === EVALUATED ? asPlaced(drawing) : resizeSquare(asPlaced(drawing), size, "bicubic");
    const left = cell.left + Math.floor((cell.width - size) / 2);
    const top = cell.top + Math.floor((cell.height - size) / 2);
    for (let y = 0; y < size; y++) picture.data.set(data.subarray(3 * y * size, 3 * (y + 1) * size), 3 * ((top + y) * side + left));
  }
  return picture;
}
