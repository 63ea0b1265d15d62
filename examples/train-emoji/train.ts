/**
 * Trains the default model from random weights: tokenizer, vision tower by labels, stages 1, 1.5, 1.75, three rounds of stage 2,
 * the mean of these. See README.md.
 *
 *     --output FOLDER [--cache FOLDER] [--adapter NAME] [--steps TOWER,STAGE1,STAGE1.5,STAGE1.75,ROUND] [--resume]
 *
 * Each part is a folder below the output: `random`, `tower`, `stage-1`, `stage-1.5`, `stage-1.75`, `stage-2a`, `stage-2b`,
 * `stage-2c` and, in f16, `model`; a part whose folder has a model is not done again. Ctrl-C writes a checkpoint, and `--resume`
 * goes on from it. Losses go to `log.jsonl`, their curve to `curve.svg`.
 */
import { appendFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Llava } from "llava-webgpu";
import { Random } from "llava-webgpu/train";
import type { ModelSizes } from "../random-model.ts";
import { averageModels } from "./average.ts";
import { drawLog } from "./curve.ts";
import { DialogueMaker } from "./dialogue.ts";
import { type Drawings, loadDrawings } from "./drawings.ts";
import { trainLanguage } from "./language.ts";
import { writeModel } from "./model.ts";
import { EmojiDataError } from "./packages.ts";
import { defaultCache } from "./prepare.ts";
import { writeTokenizer } from "./tokenizer.ts";
import { trainTower } from "./tower.ts";
import { loadWords, type WordMask } from "./words.ts";

const SEED = 1;

/** What Muon's matrices learn at, what AdamW's tensors get of it, pictures of a batch, and steps; `stage`: of the language model, none for the tower. */
const settings = {
  tower: { stage: undefined, learningRate: 4.5e-3, adamWFactor: 0.375, batchSize: 96, steps: 9000 },
  "stage-1": { stage: 1, learningRate: 3e-3, adamWFactor: 0.5, batchSize: 48, steps: 80 },
  "stage-1.5": { stage: 1.5, learningRate: 5e-3, adamWFactor: 0.5, batchSize: 64, steps: 1600 },
  "stage-1.75": { stage: 1.75, learningRate: 2.5e-3, adamWFactor: 0.5, batchSize: 96, steps: 2000 },
  "stage-2": { stage: 2, learningRate: 2.1e-3, adamWFactor: 0.5, batchSize: 96, steps: 640 },
} as const;

type Setting = keyof typeof settings;

const rounds = ["stage-2a", "stage-2b", "stage-2c"];

/** The parts' folders, in their order, and their settings. */
const parts: readonly (readonly [name: string, setting: Setting])[] = [
  ["tower", "tower"],
  ["stage-1", "stage-1"],
  ["stage-1.5", "stage-1.5"],
  ["stage-1.75", "stage-1.75"],
  ...rounds.map((name) => [name, "stage-2"] as const),
];

export interface TrainOptions {
  readonly output: string;
  readonly cache: string;
  readonly adapter: string;
  /** Other steps than the recipe's. */
  readonly steps?: Readonly<Partial<Record<Setting, number>>>;
  /** Other batches than the recipe's, all of one size. */
  readonly batchSize?: number;
  /** Another model than the default one. */
  readonly sizes?: ModelSizes;
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (part: string, progress: object) => void;
}

/** Runs what is not there yet. Returns the folder of the trained model, or nothing when it was stopped. */
export async function trainDefaultModel(options: TrainOptions): Promise<string | undefined> {
  const { output, cache, adapter, steps = {}, batchSize, sizes, resume, signal, onProgress } = options;
  const drawings = loadDrawings(cache);
  const words = loadWords(cache).training;
  const folder = (part: string): string => join(output, part);
  const there = (part: string): boolean => existsSync(join(folder(part), "model.safetensors"));
  if (!there("random")) {
    writeTokenizer(folder("tokenizer"), dialogueTexts(drawings, words), { size: 4096, words: 2048 });
    await writeModel(folder("random"), { tokenizer: folder("tokenizer"), seed: SEED, ...(sizes ? { sizes } : {}) });
  }
  let from = "random";
  for (const [number, [name, setting]] of parts.entries()) {
    if (!there(name)) {
      const { stage, ...set } = settings[setting];
      const llava = await Llava.load(folder(from), { adapter, weights: "f32", signal });
      const run = {
        ...set,
        ...(steps[setting] ? { steps: steps[setting] } : {}),
        ...(batchSize ? { batchSize } : {}),
        drawings,
        words,
        output: folder(name),
        seed: SEED + number,
        checkpointEvery: 250,
        resume: resume === true && existsSync(folder(name)),
        signal,
        onProgress: (progress: object) => onProgress?.(name, progress),
      };
      await (stage ? trainLanguage(llava, { ...run, stage }) : trainTower(llava, { ...run, evaluateEvery: 1000 }));
      await llava.dispose();
      if (signal?.aborted) return undefined;
    }
    from = name;
  }
  if (!there("model")) await averageModels(rounds.map(folder), folder("model"), "f16");
  return folder("model");
}

/** The texts of many dialogues, as they stand between special tokens, and how often each occurs. */
function dialogueTexts({ concepts, training }: Drawings, words: readonly WordMask[]): Map<string, number> {
  // The pictures are thrown away: small ones are made faster.
  const maker = new DialogueMaker({ concepts, drawings: training, words, tile: 16 });
  const random = new Random(SEED);
  const texts = new Map<string, number>();
  for (let i = 0; i < 30_000; i++) {
    for (const [turn, { question, answer }] of maker.next(random).turns.entries()) {
      const text = `${turn === 0 ? "\n" : "USER: "}${question} ASSISTANT: ${answer}`;
      texts.set(text, (texts.get(text) ?? 0) + 1);
    }
  }
  return texts;
}

/** Command line. */
export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      output: { type: "string" },
      cache: { type: "string", default: defaultCache },
      adapter: { type: "string", default: "auto" },
      steps: { type: "string" },
      resume: { type: "boolean", default: false },
    },
  });
  const { output, cache, adapter, steps, resume } = values;
  const names = Object.keys(settings) as Setting[];
  const counts = steps?.split(",").map(Number);
  if (!output) throw new EmojiDataError("train: expected --output FOLDER, where checkpoints and models go", "--output");
  if (counts?.some((count) => !(Number.isInteger(count) && count > 0)) || (counts && counts.length !== names.length)) {
    throw new EmojiDataError(`train: expected --steps of five whole numbers, such as 9000,80,1600,2000,640, got ${steps}`, "--steps");
  }
  mkdirSync(output, { recursive: true });
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  const model = await trainDefaultModel({
    output,
    cache,
    adapter,
    ...(counts ? { steps: Object.fromEntries(names.map((name, i) => [name, counts[i]])) } : {}),
    resume,
    signal: stop.signal,
    onProgress: (part, progress) => {
      const line = JSON.stringify({ part, ...progress });
      appendFileSync(join(output, "log.jsonl"), `${line}\n`);
      console.error(line);
    },
  });
  drawLog(join(output, "log.jsonl"), join(output, "curve.svg"));
  console.log(model ? `The trained model is in ${model}.` : `Stopped; a checkpoint is in ${output}. --resume goes on.`);
}
