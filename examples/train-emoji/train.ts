/**
 * Trains the default model from random weights: tokenizer, vision tower by labels, stages 1, 1.5, 1.75 and 2. See README.md.
 *
 *     --output FOLDER [--cache FOLDER] [--adapter NAME] [--steps TOWER,STAGE1,STAGE1.5,STAGE1.75,STAGE2] [--resume]
 *
 * Each part is a folder below the output: `random`, `tower`, `stage-1`, `stage-1.5`, `stage-1.75`, `stage-2`; a part whose
 * folder has a model is not done again. Ctrl-C writes a checkpoint, and `--resume` goes on from it. Losses go to `log.jsonl`, their curve to `curve.svg`.
 */
import { appendFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Llava } from "llava-webgpu";
import { Random } from "llava-webgpu/train";
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

/** What Muon's matrices learn at, what AdamW's tensors get of it, pictures of a batch, and steps. */
const settings = {
  tower: { learningRate: 4.5e-3, adamWFactor: 0.375, batchSize: 96, steps: 9000 },
  "stage-1": { learningRate: 3e-3, adamWFactor: 0.5, batchSize: 48, steps: 80 },
  "stage-1.5": { learningRate: 5e-3, adamWFactor: 0.5, batchSize: 64, steps: 1600 },
  "stage-1.75": { learningRate: 2.5e-3, adamWFactor: 0.5, batchSize: 96, steps: 2000 },
  "stage-2": { learningRate: 2e-3, adamWFactor: 0.5, batchSize: 96, steps: 1600 },
} as const;

type Part = keyof typeof settings;

/** In their order. */
const parts = Object.keys(settings) as Part[];

const stages = { "stage-1": 1, "stage-1.5": 1.5, "stage-1.75": 1.75, "stage-2": 2 } as const;

export interface TrainOptions {
  readonly output: string;
  readonly cache: string;
  readonly adapter: string;
  readonly steps?: Readonly<Partial<Record<Part, number>>>;
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (part: Part, progress: object) => void;
}

/** Runs what is not there yet. Returns the folder of the trained model, or nothing when it was stopped. */
export async function trainDefaultModel({ output, cache, adapter, steps = {}, resume, signal, onProgress }: TrainOptions): Promise<string | undefined> {
  const drawings = loadDrawings(cache);
  const words = loadWords(cache).training;
  const folder = (part: string): string => join(output, part);
  const there = (part: string): boolean => existsSync(join(folder(part), "model.safetensors"));
  if (!there("random")) {
    writeTokenizer(folder("tokenizer"), dialogueTexts(drawings, words), { size: 4096, words: 2048 });
    await writeModel(folder("random"), { tokenizer: folder("tokenizer"), seed: SEED });
  }
  let from = "random";
  for (const part of parts) {
    if (!there(part)) {
      const llava = await Llava.load(folder(from), { adapter, weights: "f32", signal });
      const run = {
        ...settings[part],
        ...(steps[part] ? { steps: steps[part] } : {}),
        drawings,
        words,
        output: folder(part),
        seed: SEED,
        checkpointEvery: 250,
        resume: resume === true && existsSync(folder(part)),
        signal,
        onProgress: (progress: object) => onProgress?.(part, progress),
      };
      await (part === "tower"
        ? trainTower(llava, { ...run, evaluateEvery: 1000 })
        : trainLanguage(llava, { ...run, stage: stages[part] }));
      await llava.dispose();
      if (signal?.aborted) return undefined;
    }
    from = part;
  }
  return folder(from);
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
  const counts = steps?.split(",").map(Number);
  if (!output) throw new EmojiDataError("train: expected --output FOLDER, where checkpoints and models go", "--output");
  if (counts?.some((count) => !(Number.isInteger(count) && count > 0)) || (counts && counts.length !== parts.length)) {
    throw new EmojiDataError(`train: expected --steps of five whole numbers, such as 9000,80,1600,2000,1600, got ${steps}`, "--steps");
  }
  mkdirSync(output, { recursive: true });
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  const model = await trainDefaultModel({
    output,
    cache,
    adapter,
    ...(counts ? { steps: Object.fromEntries(parts.map((part, i) => [part, counts[i]])) } : {}),
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
