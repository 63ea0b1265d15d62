/** What the two stages learn from: pictures painted when they are asked for, each of them a new one. */
import { Random, type Sample, type SampleSource } from "llava-webgpu/train";
import { Augmenter } from "../train-emoji/augment.ts";
import { DialogueMaker } from "../train-emoji/dialogue.ts";
import { conversationAbout, type Exchange } from "../train-emoji/dialogue-batches.ts";
import type { Drawing, Drawings } from "../train-emoji/drawings.ts";
import { pick } from "../train-emoji/lots.ts";
import type { Picture } from "../train-emoji/picture.ts";
import { Questions } from "../train-emoji/questions.ts";
import { DrawingSampler } from "../train-emoji/sampler.ts";
import type { Talk, Told } from "./talk.ts";

export interface LessonOptions {
  /** All concepts, and the drawings to learn from, which may show only some of them. */
  readonly drawings: Pick<Drawings, "concepts" | "training">;
  /** Side of the pictures in pixels. */
  readonly tile: number;
  readonly seed: number;
  /** Samples of a batch: their kinds go by their places in it, so that every batch has as many pictures. */
  readonly batchSize: number;
  readonly batches: number;
}

/** Samples of whole batches; the same index gives the same sample on every machine. */
abstract class Lessons implements SampleSource {
  readonly count: number;
  readonly #seed: number;

  constructor({ batchSize, batches, seed }: LessonOptions) {
    this.count = batchSize * batches;
    this.#seed = seed;
  }

  async sample(index: number): Promise<Sample> {
    const { images, exchanges } = this.make(index, new Random(new Random(this.#seed).bits() ^ new Random(~index).bits()));
    return { id: `${index}`, images, conversations: conversationAbout(images, exchanges) };
  }

  protected abstract make(index: number, random: Random): { readonly images: readonly Picture[]; readonly exchanges: readonly Exchange[] };
}

/** Stage 1: a picture and its name. */
export class Names extends Lessons {
  readonly #sampler: DrawingSampler;
  readonly #augmenter: Augmenter;
  readonly #questions: Questions;

  constructor(options: LessonOptions) {
    super(options);
    this.#sampler = new DrawingSampler(options.drawings.training);
    this.#augmenter = new Augmenter(options.tile);
    this.#questions = new Questions(options.drawings.concepts);
  }

  protected override make(_index: number, random: Random) {
    const drawing = this.#sampler.next(random);
    const name = this.#questions.about(drawing, "name", random)!;
    return { images: [this.#augmenter.augment(drawing, random).picture], exchanges: [name] };
  }
}

/** Of every batch: how many samples go on from the name to what the language model itself says about such a thing. */
const TALKING = 0.25;
/** And how many have no picture at all, so that the model goes on speaking as it did. */
const SPEAKING = 0.15;

/** Stage 2: dialogues about a picture, talk that a picture begins, and talk without one. */
export class Dialogues extends Lessons {
  readonly #maker: DialogueMaker;
  readonly #augmenter: Augmenter;
  readonly #questions: Questions;
  /** Drawings of things that there is talk about. */
  readonly #known: readonly (readonly [drawings: readonly Drawing[], told: readonly Told[]])[];
  readonly #spoken: readonly Exchange[];
  readonly #batchSize: number;

  constructor(options: LessonOptions, talk: Talk) {
    super(options);
    const { drawings, tile, batchSize } = options;
    this.#maker = new DialogueMaker({ concepts: drawings.concepts, drawings: drawings.training, tile, turns: [2, 4] });
    this.#augmenter = new Augmenter(tile);
    this.#questions = new Questions(drawings.concepts);
    this.#known = [...new Set(talk.things.map(({ name }) => name))]
      .map((name) => [drawings.training.filter(({ concept }) => concept.name === name), talk.things.filter((told) => told.name === name)] as const)
      .filter(([shown]) => shown.length > 0);
    this.#spoken = [...talk.general, ...talk.things.map(({ spoken, answer }) => ({ question: spoken, answer }))];
    this.#batchSize = batchSize;
  }

  protected override make(index: number, random: Random) {
    const place = index % this.#batchSize;
    const speaking = Math.round(SPEAKING * this.#batchSize);
    const talking = Math.round(TALKING * this.#batchSize);
    if (place < speaking && this.#spoken.length > 0) return { images: [], exchanges: [pick(random, this.#spoken)] };
    if (place < speaking + talking && this.#known.length > 0) return this.#talk(random);
    const { images, turns } = this.#maker.next(random, "single");
    return { images, exchanges: turns };
  }

  #talk(random: Random) {
    const [drawings, told] = pick(random, this.#known);
    const drawing = pick(random, drawings);
    const { seen, answer } = pick(random, told);
    const name = this.#questions.about(drawing, "name", random)!;
    return { images: [this.#augmenter.augment(drawing, random).picture], exchanges: [name, { question: seen, answer }] };
  }
}
