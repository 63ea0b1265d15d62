/** Training batches from dialogues, in few shapes, so that their programs are compiled once. */
import type { Llava } from "llava-webgpu";
import { type Batch, collate, type RawSample, type Random } from "llava-webgpu/train";
import { type DialogueMaker, type Example, type ExampleKind } from "./dialogue.ts";
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
const cost: Readonly<Record<ExampleKind, number>> = { single: 1, collage: 2, sign: 2, pair: 1.5 };

/** The next batch of stage 2: dialogues of one sort, so that all have as many tiles. */
export async function dialogueBatch(llava: Llava, { maker, batchSize, mix }: DialogueBatchOptions, random: Random): Promise<Batch> {
  const kind = pickWeighted<ExampleKind>(random, Object.entries(mix) as [ExampleKind, number][]);
  const examples = Array.from({ length: Math.round(batchSize / cost[kind]) }, () => maker.next(random, kind));
  return padded(await collate(examples.map(dialogue), llava, { template: "v1", system: "" }));
}

/** A batch of stage 1: pictures and their names. */
export async function captionBatch(llava: Llava, { maker, batchSize }: DialogueBatchOptions, random: Random): Promise<Batch> {
  const examples = Array.from({ length: batchSize }, () => maker.next(random, "single"));
  return padded(await collate(examples.map(caption), llava, { template: "plain" }));
}

/** LLaVA's JSON, with the pictures themselves instead of their files. */
function dialogue({ images, turns }: Example): RawSample {
  const conversations = turns.flatMap(({ question, answer }, i) => [
    { from: "human", value: i === 0 ? `${"<image>\n".repeat(images.length)}${question}` : question } as const,
    { from: "gpt", value: answer } as const,
  ]);
  return { image: images, conversations };
}

function caption({ images, turns }: Example): RawSample {
  const { answer } = turns.find(({ kind }) => kind === "name")!;
  return { image: images, conversations: [{ from: "human", value: "<image>" }, { from: "gpt", value: answer }] };
}

function padded({ inputIds, labels, attentionMask, ...rest }: Batch): Batch {
  const length = LENGTHS * Math.ceil(inputIds[0].length / LENGTHS);
  const fill = (rows: number[][], value: number) => rows.map((row) => [...row, ...Array.from({ length: length - row.length }, () => value)]);
  return { ...rest, inputIds: fill(inputIds, 0), labels: fill(labels, -100), attentionMask: fill(attentionMask, 0) };
}
