/** Training batches from dialogues, in few shapes, so that their programs are compiled once. */
import type { Llava } from "llava-webgpu";
import { type Batch, collate, padRows, type Random, type RawSample, type SampleTurn } from "llava-webgpu/train";
import type { DialogueMaker, ExampleKind } from "./dialogue.ts";
import { pickWeighted } from "./lots.ts";

/** Rows are padded to a multiple of this. */
const LENGTHS = 16;

export interface DialogueBatchOptions {
  readonly maker: DialogueMaker;
  /** Dialogues of a batch of single drawings; the others, whose pictures have more tiles, get as many less as these cost more. */
  readonly batchSize: number;
  /** How often a batch is of each sort. */
  readonly mix: Readonly<Partial<Record<ExampleKind, number>>>;
}

/** Pictures of a dialogue cost about this many times what a single drawing does. */
const cost: Readonly<Record<ExampleKind, number>> = { single: 1, quiz: 2.5, large: 3, collage: 3, search: 2.25, pair: 2, sign: 1.75, word: 0.75 };

/** The next batch of stage 2: dialogues of one sort, so that all have as many tiles. */
export async function dialogueBatch(llava: Llava, { maker, batchSize, mix }: DialogueBatchOptions, random: Random): Promise<Batch> {
  const kind = pickWeighted<ExampleKind>(random, Object.entries(mix) as [ExampleKind, number][]);
  const examples = Array.from({ length: Math.round(batchSize / cost[kind]) }, () => maker.next(random, kind));
  const samples = examples.map(({ images, turns }): RawSample => ({ image: images, conversations: conversationAbout(images, turns) }));
  return padRows(await collate(samples, llava, { template: "v1", system: "" }), llava.config.imageToken, LENGTHS);
}

/** A batch of stage 1: pictures and their names. */
export function captionBatch(llava: Llava, options: Omit<DialogueBatchOptions, "mix">, random: Random): Promise<Batch> {
  return nameLesson(llava, options, random, "plain");
}

/** A batch of stage 1.5: what is this? */
export function nameBatch(llava: Llava, options: Omit<DialogueBatchOptions, "mix">, random: Random): Promise<Batch> {
  return nameLesson(llava, options, random, "v1");
}

async function nameLesson(
  llava: Llava,
  { maker, batchSize }: Omit<DialogueBatchOptions, "mix">,
  random: Random,
  template: "plain" | "v1",
): Promise<Batch> {
  const samples = Array.from({ length: batchSize }, (): RawSample => {
    const { images, turns } = maker.next(random, "single");
    const name = turns.find(({ kind }) => kind === "name")!;
    return { image: images, conversations: conversationAbout(images, [name]) };
  });
  return padRows(await collate(samples, llava, { template, system: "" }), llava.config.imageToken, LENGTHS);
}

/** A question and its answer, about what a picture shows or about nothing that is seen. */
export interface Exchange {
  readonly question: string;
  readonly answer: string;
}

/** The turns of LLaVA's JSON: the pictures stand in front of the first question. */
export function conversationAbout(images: readonly unknown[], exchanges: readonly Exchange[]): SampleTurn[] {
  return exchanges.flatMap(({ question, answer }, turn): SampleTurn[] => [
    { from: "human", value: `${turn === 0 ? "<image>\n".repeat(images.length) : ""}${question}` },
    { from: "gpt", value: answer },
  ]);
}
