/** Labelled pictures for the vision tower: single drawings, collages as the base view of AnyRes shows them, tiles of signs. */
import type { Random, TowerBatch, TowerTarget } from "llava-webgpu/train";
import { Augmenter, cutMix } from "./augment.ts";
import { type Cell, cellOf, CollagePainter } from "./collage.ts";
import { colourNames, SHOWN } from "./colours.ts";
import type { Concept } from "./concepts.ts";
import type { Drawing } from "./drawings.ts";
import { arrange } from "./layouts.ts";
import { chance, integerBetween, pick } from "./lots.ts";
import { type Picture, quarterOf } from "./picture.ts";
import { normalised } from "./pixels.ts";
import { DrawingSampler } from "./sampler.ts";
import { SignPainter } from "./sign.ts";
import { type WordMask, words } from "./words.ts";

/** Most drawings of a collage. */
const MOST = 9;

export interface TowerLessonOptions {
  readonly concepts: readonly Concept[];
  /** Drawings to learn from. */
  readonly drawings: readonly Drawing[];
  readonly words: readonly WordMask[];
  /** Side of a tile, in pixels. */
  readonly tile: number;
  /** Side of a patch, in pixels. */
  readonly patch: number;
  /** Pictures of a batch. */
  readonly batchSize: number;
  /** Shares of collages and of signs among them; 0.2 and 0.3. */
  readonly collages?: number;
  readonly signs?: number;
  /** Probability that a single drawing is mixed with another; 0.1. */
  readonly mixed?: number;
}

/** What the labels of every head count against the concept's, or a letter's against the word's. */
const shares = { kind: 1, tag: 0.5, colour: 0.3, count: 0.2, letter: 0.5 } as const;

const ALPHABET = 26;
/** Letters of the longest word. */
const LONGEST = Math.max(...words.map(({ length }) => length));

const letterHead = (place: number): string => `letter_${place}`;

/** Makes batches of pictures with labels; the same random numbers give the same batches. */
export class TowerLessons {
  /** Number of classes by head. */
  readonly heads: Readonly<Record<string, number>>;
  /** The kind of every concept, by number. */
  readonly kinds: readonly number[];
  readonly #options: Required<TowerLessonOptions>;
  readonly #sampler: DrawingSampler;
  readonly #augmenter: Augmenter;
  readonly #collages: CollagePainter;
  readonly #signs: SignPainter;
  readonly #tags: readonly (readonly number[])[];
  readonly #words: readonly WordMask[];

  constructor(options: TowerLessonOptions) {
    this.#options = { collages: 0.2, signs: 0.3, mixed: 0.1, ...options };
    const { concepts, drawings, tile } = this.#options;
    this.#sampler = new DrawingSampler(drawings);
    this.#augmenter = new Augmenter(tile);
    this.#collages = new CollagePainter(2 * tile);
    this.#signs = new SignPainter(tile);
    this.#words = this.#options.words.filter((word) => this.#signs.fits(word));
    const subgroups = [...new Set(concepts.map(({ subgroup }) => subgroup))];
    this.kinds = concepts.map(({ subgroup }) => subgroups.indexOf(subgroup));
    const common = commonTags(concepts);
    this.#tags = concepts.map(({ tags }) => tags.map((tag) => common.indexOf(tag)).filter((tag) => tag >= 0));
    this.heads = {
      concept: concepts.length,
      kind: subgroups.length,
      tag: common.length,
      colour: colourNames.length,
      count: MOST,
      word: words.length,
      ...Object.fromEntries(Array.from({ length: LONGEST }, (_, place) => [letterHead(place), 1 + ALPHABET])),
    };
  }

  /** The next batch. */
  next(random: Random): TowerBatch {
    const { batchSize, tile, collages, signs } = this.#options;
    const pictures: Picture[] = [];
    const targets: TowerTarget[] = [];
    for (let picture = 0; picture < batchSize; picture++) {
      const add = (target: Omit<TowerTarget, "picture">): void => {
        if (target.weight > 0) targets.push({ ...target, picture, weight: target.weight / batchSize });
      };
      const lot = random.uniform();
      pictures.push(lot < collages ? this.#collage(random, add) : lot < collages + signs ? this.#sign(random, add) : this.#single(random, add));
    }
    return { pixels: normalised(pictures, tile), targets };
  }

  #single(random: Random, add: Add): Picture {
    const drawing = this.#sampler.next(random);
    const { picture, faithful } = this.#augmenter.augment(drawing, random);
    if (!chance(random, this.#options.mixed)) {
      this.#learn(drawing.concept, 1, random, add);
      if (faithful) this.#learnColours(drawing, add);
      add({ head: "count", label: 0, weight: shares.count * 0.25 });
      return picture;
    }
    const other = this.#sampler.next(random);
    const mixed = cutMix(picture, this.#augmenter.augment(other, random).picture, random);
    this.#learn(drawing.concept, mixed.share, random, add);
    this.#learn(other.concept, 1 - mixed.share, random, add);
    return mixed.picture;
  }

  /** Every cell learns its own concept from the patches that lie in it, and the picture how many there are. */
  #collage(random: Random, add: Add): Picture {
    const { tile, patch } = this.#options;
    const count = integerBetween(random, 2, 4) + (chance(random, 0.25) ? integerBetween(random, 1, MOST - 4) : 0);
    const drawings = Array.from({ length: Math.min(MOST, count) }, () => this.#sampler.next(random));
    const arrangement = arrange(drawings.length, random);
    const { picture } = this.#collages.paint(drawings, arrangement, random);
    add({ head: "count", label: drawings.length - 1, weight: shares.count });
    for (const [i, { concept }] of drawings.entries()) {
      const patches = patchesIn(cellOf(arrangement, arrangement.cells[i], tile), tile, patch);
      if (patches.length === 0) continue;
      const weight = 1 / drawings.length;
      add({ head: "concept", label: concept.id, weight, patches });
      add({ head: "kind", label: this.kinds[concept.id], weight: weight * shares.kind, patches });
    }
    return halved(picture);
  }

  /**
   * The tile that holds the word. It learns the word, and its letters one by one (0 behind the last), which are fewer and so
   * learnt sooner.
   */
  #sign(random: Random, add: Add): Picture {
    const mask = pick(random, this.#words);
    const { picture, corner } = this.#signs.paint(this.#sampler.next(random), mask, random);
    const word = mask.word.toLowerCase();
    add({ head: "word", label: words.indexOf(word), weight: 1 });
    for (let place = 0; place < LONGEST; place++) {
      const label = place < word.length ? word.charCodeAt(place) - "a".charCodeAt(0) + 1 : 0;
      add({ head: letterHead(place), label, weight: shares.letter });
    }
    return quarterOf(picture, corner);
  }

  #learn({ id }: Concept, share: number, random: Random, add: Add): void {
    add({ head: "concept", label: id, weight: share });
    add({ head: "kind", label: this.kinds[id], weight: share * shares.kind });
    if (this.#tags[id].length > 0) add({ head: "tag", label: pick(random, this.#tags[id]), weight: share * shares.tag });
  }

  /** A distribution over the colours that are worth a word. */
  #learnColours(drawing: Drawing, add: Add): void {
    const seen = drawing.shares.map((share) => (share >= SHOWN ? share : 0));
    const sum = seen.reduce((a, b) => a + b, 0);
    for (const [label, share] of seen.entries()) add({ head: "colour", label, weight: (share / sum || 0) * shares.colour });
  }
}

type Add = (target: Omit<TowerTarget, "picture">) => void;

/** Tags of at least three concepts. */
function commonTags(concepts: readonly Concept[]): string[] {
  const counts = new Map<string, number>();
  for (const { tags } of concepts) for (const tag of tags) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  return [...counts].filter(([, count]) => count >= 3).map(([tag]) => tag);
}

/** The patches whose middle lies in a cell. */
function patchesIn({ left, top, width, height }: Cell, size: number, patch: number): number[] {
  const across = size / patch;
  const found: number[] = [];
  for (let i = 0; i < across * across; i++) {
    const [x, y] = [((i % across) + 0.5) * patch, (Math.floor(i / across) + 0.5) * patch];
    if (x >= left && x < left + width && y >= top && y < top + height) found.push(i);
  }
  return found;
}

/** Half as wide and high, by means of 2 x 2 pixels. */
function halved({ width, height, data }: Picture): Picture {
  const half = new Uint8Array(data.length / 4);
  for (let y = 0, to = 0; y < height; y += 2) {
    for (let x = 0; x < width; x += 2) {
      for (let from = 3 * (y * width + x), c = 0; c < 3; c++, from++, to++) {
        half[to] = (data[from] + data[from + 3] + data[from + 3 * width] + data[from + 3 * width + 3] + 2) >> 2;
      }
    }
  }
  return { width: width / 2, height: height / 2, data: half };
}
