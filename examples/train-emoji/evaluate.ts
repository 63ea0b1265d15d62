/**
 * Asks a model about drawings of makers that it never saw, and prints how often it is right.
 *
 *     --model FOLDER [--cache FOLDER] [--adapter NAME] [--questions 300] [--names all|N] [--json FILE]
 *
 * Every kind is asked three times over: as it is; `blind`, about a white picture; and, where pictures have more than one
 * tile, `without tiles`, about the picture shrunk to one.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Llava } from "llava-webgpu";
import { loadDrawings } from "./drawings.ts";
import { evaluatedKinds, type EvaluationItem, HeldOut, nameEverything } from "./held-out.ts";
import { pairKinds } from "./pair-questions.ts";
import type { Picture } from "./picture.ts";
import { defaultCache } from "./prepare.ts";
import { resizeSquare } from "./resize.ts";
import { colourOverlap, score } from "./scores.ts";
import { loadWords } from "./words.ts";

/** How right the answers to one kind of question are, each from 0 to 1. */
export interface KindScore {
  readonly set: string;
  readonly kind: string;
  readonly questions: number;
  readonly score: number;
  /** About a white picture; the names of all drawings are not asked so, since the kind "name" says what comes of that. */
  readonly blind?: number;
  /** Where pictures have more than one tile. */
  readonly withoutTiles?: number;
  /** The share of the most frequent reference answer. */
  readonly majority: number;
  /** Of "colour": overlap of the colours named. */
  readonly overlap?: number;
}

export interface EvaluateOptions {
  readonly cache: string;
  /** Questions of each kind about each maker's drawings. */
  readonly questions: number;
  /** Drawings of each maker whose name is asked; all of them by default. */
  readonly names?: number;
  readonly onProgress?: (words: string) => void;
}

/**
 * Scores of every kind, and of the names of all held-out drawings (kind "all names"). Names and pairs are asked again at twice
 * the size ("all names, large", "same, large"), which AnyRes sees in four tiles.
 */
export async function evaluateModel(llava: Llava, { cache, questions, names, onProgress }: EvaluateOptions): Promise<KindScore[]> {
  const { concepts, heldOut } = loadDrawings(cache, ["twemoji", "openmoji"]);
  const size = llava.config.vision!.imageSize;
  const asked = new HeldOut({ concepts, heldOut, words: loadWords(cache).heldOut, tile: size });
  const scores: KindScore[] = [];
  for (const set of Object.keys(heldOut)) {
    const all = nameEverything({ heldOut }, set);
    const add = async (kind: string, items: readonly EvaluationItem[]): Promise<void> => {
      scores.push(await scoreOf(llava, items, kind, size, onProgress));
    };
    const addLarge = async (kind: string, items: readonly EvaluationItem[]): Promise<void> => {
      if (llava.config.pinpoints) await add(`${kind}, large`, items.map((item) => enlarged(item, 2 * size)));
    };
    const some = names ? all.filter((_, i) => i % Math.ceil(all.length / names) === 0) : all;
    await add("all names", some);
    await addLarge("all names", some);
    for (const kind of evaluatedKinds) {
      const items = asked.items(set, kind, questions, 7);
      await add(kind, items);
      if (kind in pairKinds) await addLarge(kind, items);
    }
  }
  return scores;
}

function enlarged(item: EvaluationItem, side: number): EvaluationItem {
  return { ...item, images: item.images.map((picture) => resizeSquare(picture, side, "bicubic")) };
}

async function scoreOf(llava: Llava, items: readonly EvaluationItem[], kind: string, size: number, onProgress?: (words: string) => void): Promise<KindScore> {
  const { set } = items[0]!;
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const texts = async (view: (picture: Picture) => Picture): Promise<string[]> => {
    const answers: string[] = [];
    for (const { images, question } of items) {
      const { text } = await llava.generate({ images: images.map(view), prompt: question }, { maxNewTokens: 48 });
      answers.push(text);
    }
    return answers;
  };
  const scored = (answers: readonly string[]): number => mean(items.map((item, i) => score(item, answers[i]!)));
  const answers = await texts((picture) => picture);
  const names = kind.startsWith("all names");
  const tiled = !names && items.some(({ images }) => images.some(({ width }) => width > size));
  const counts = new Map<string, number>();
  for (const { answer } of items) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  const white = ({ width, height, data }: Picture): Picture => ({ width, height, data: new Uint8Array(data.length).fill(255) });
  const result: KindScore = {
    set,
    kind,
    questions: items.length,
    score: scored(answers),
    ...(names ? {} : { blind: scored(await texts(white)) }),
    ...(tiled ? { withoutTiles: scored(await texts((picture) => (picture.width > size ? resizeSquare(picture, size, "bicubic") : picture))) } : {}),
    majority: Math.max(...counts.values()) / items.length,
    ...(kind === "colour" ? { overlap: mean(items.map(({ answer }, i) => colourOverlap(answer, answers[i]!))) } : {}),
  };
  onProgress?.(row(result));
  return result;
}

function row({ set, kind, questions, score, blind, withoutTiles, majority }: KindScore): string {
  const figure = (value: number | undefined): string => (value === undefined ? "" : value.toFixed(3));
  return `| ${set} | ${kind} | ${questions} | ${figure(score)} | ${figure(blind)} | ${figure(withoutTiles)} | ${figure(majority)} |`;
}

/** Command line. */
export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      model: { type: "string" },
      cache: { type: "string", default: defaultCache },
      adapter: { type: "string", default: "auto" },
      questions: { type: "string", default: "300" },
      names: { type: "string", default: "all" },
      json: { type: "string" },
    },
  });
  const { model, cache, adapter, questions, names, json } = values;
  const llava = await Llava.load(model, { adapter });
  console.log("| set | kind | questions | score | blind | without tiles | majority |\n|---|---|---:|---:|---:|---:|---:|");
  const options = { cache, questions: Number(questions), onProgress: (words: string) => console.log(words) };
  const scores = await evaluateModel(llava, names === "all" ? options : { ...options, names: Number(names) });
  await llava.dispose();
  if (json) writeFileSync(json, `${JSON.stringify(scores, null, 1)}\n`);
}
