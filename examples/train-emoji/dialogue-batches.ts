/** Training batches from dialogues, in few shapes, so that their programs are compiled once. */
import type { Llava } from "llava-webgpu";
import { type Batch, collate, padRows, type Random, type RawSample, type SampleTurn } from "llava-webgpu/train";
import type { DialogueMaker, ExampleKind } from "./dialogue.ts";
import { pickWeighted } from "./lots.ts";

/** Rows are padded to a multiple of this. */
const LENGTHS = 16;

/** How often a batch is of each sort. */
export type BatchMix = Readonly<Partial<Record<ExampleKind, number>>>;

export interface BatchOptions {
  readonly maker: DialogueMaker;
  /** Dialogues of a batch about single drawings; of the others, whose pictures have more tiles, there are as many less as they cost more. */
  readonly batchSize: number;
}

/** Pictures of a dialogue cost about this many times what a single drawing does. */
const cost: Readonly<Record<ExampleKind, number>> = {
  name: 1, single: 1, quiz: 2.5, large: 3, collage: 3, search: 2.25, pair: 2, largePair: 5, sign: 1.75, word: 0.75,
};

/** A batch of stage 1: pictures and their names. */
export function captionBatch(llava: Llava, options: BatchOptions, random: Random): Promise<Batch> {
  return batchOf(llava, options, "name", "plain", random);
}

/** A batch of the stages after it: dialogues of one sort, so that all have as many tiles. */
export function dialogueBatch(llava: Llava, { mix, ...options }: BatchOptions & { readonly mix: BatchMix }, random: Random): Promise<Batch> {
  return batchOf(llava, options, pickWeighted<ExampleKind>(random, Object.entries(mix) as [ExampleKind, number][]), "v1", random);
}

async function batchOf(
  llava: Llava,
  { maker, batchSize }: BatchOptions,
  kind: ExampleKind,
  template: "plain" | "v1",
  random: Random,
): Promise<Batch> {
  const examples = Array.from({ length: Math.round(batchSize / cost[kind]) }, () => maker.next(random, kind));
  const samples = examples.map(({ images, turns }): RawSample => ({ image: images, conversations: conversationAbout(images, turns) }));
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
