/**
 * Both stages of LLaVA on a real language model: first the projector alone, then the projector and low-rank adapters (LoRA)
 * beside the language model's weights. README.md has the command.
 *
 *     --model FOLDER --output FOLDER [--steps 2000,8000] [--batch 32] [--rates 1e-3,2e-4] [--things "dog,pizza"] [--talk 300]
 *     [--cache FOLDER] [--adapter NAME] [--weights auto] [--seed N] [--checkpoint-every 200] [--resume]
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Llava } from "llava-webgpu";
import { loadBatches, padRows, Random, Sampler, type SamplerState, type SampleSource, saveModel, Trainer, type TrainerOptions } from "llava-webgpu/train";
import { type Drawings, loadDrawings } from "../train-emoji/drawings.ts";
import { shuffled } from "../train-emoji/lots.ts";
import { defaultCache } from "../train-emoji/prepare.ts";
import { SmolError } from "./error.ts";
import { Dialogues, type LessonOptions, Names } from "./lessons.ts";
import { hearTalk, type Talk } from "./talk.ts";

export interface SmolRun {
  /** A folder that `assemble` wrote. */
  readonly model: string;
  /** Folder for the log, the checkpoints of both stages, what the language model said, and in the end `model/`. */
  readonly output: string;
  readonly drawings: Drawings;
  /** Names of the things to learn; absent: all. */
  readonly things?: readonly string[];
  /** Of both stages. */
  readonly steps: readonly [number, number];
  readonly learningRates: readonly [number, number];
  /** Samples of a step. */
  readonly batchSize: number;
  /** How many things the language model is asked about before it learns, and the longest of its answers in tokens. */
  readonly talk: { readonly things: number; readonly maxNewTokens: number };
  readonly seed: number;
  readonly checkpointEvery: number;
  readonly adapter?: string;
  readonly weights?: "auto" | "f32" | "f16";
  /** Goes on from the last checkpoint in `output`. */
  readonly resume?: boolean;
  /** Ends the run behind its step, with a checkpoint. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: SmolProgress) => void;
}

export type SmolProgress =
  | { readonly kind: "talk"; readonly done: number; readonly all: number }
  | {
      readonly kind: "step";
      readonly stage: 1 | 2;
      readonly step: number;
      readonly steps: number;
      readonly loss: number;
      readonly gradientNorm: number;
      /** Since the stage began. */
      readonly samplesPerSecond: number;
    };

/** Rows are padded to a multiple of this, so that few shapes of batches occur: each has a program of its own. */
const PAD = 8;

/** SmolLM2's ChatML without a system text, as `assemble` writes it into the chat template. */
const layout = { template: "qwen", system: "", maxLength: 160 } as const;

/** Trains. @returns whether both stages are done: if not, the run was interrupted and can be resumed. */
export async function trainSmol(run: SmolRun): Promise<boolean> {
  const { model, output, adapter = "auto", weights = "auto", signal } = run;
  const checkpoints = [join(output, "stage-1"), join(output, "stage-2")] as const;
  const begun = checkpoints.map((folder) => existsSync(join(folder, "training.safetensors")));
  if (begun.includes(true) && !run.resume) throw new SmolError(`output: ${output} holds the checkpoint of a run: resume it, or name another folder`);
  mkdirSync(output, { recursive: true });
  keepSettings(run);
  const drawings = chosen(run.drawings, run.things);
  const llava = await Llava.load(model, { adapter, weights });
  try {
    const talk = await talkOf(llava, run, drawings);
    const tile = llava.config.vision!.imageSize;
    const lessons = (stage: 0 | 1): LessonOptions => ({ drawings, tile, seed: 2 * run.seed + stage, batchSize: run.batchSize, batches: run.steps[stage] });
    const trainable = ["projector"];
    const lora = { rank: 16, dropout: 0.05, seed: run.seed };
    const first: Stage = { number: 1, lessons: new Names(lessons(0)), options: { trainable }, checkpoint: checkpoints[0], begun: begun[0] };
    const second: Stage = { number: 2, lessons: new Dialogues(lessons(1), talk), options: { trainable, lora }, checkpoint: checkpoints[1], begun: begun[1] };
    const done = (begun[1] || (await trainStage(llava, run, first))) && (await trainStage(llava, run, second));
    if (done) await saveModel(llava, join(output, "model"), { merged: true });
    return done;
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return false;
    throw error;
  } finally {
    await llava.dispose();
  }
}

/** Writes what a run may not change when it goes on, or compares it with what was written. */
function keepSettings({ output, things, steps, learningRates, batchSize, talk, seed }: SmolRun): void {
  const file = join(output, "run.json");
  const settings = JSON.stringify({ things: things ?? "all", steps, learningRates, batchSize, talk, seed });
  if (!existsSync(file)) writeFileSync(file, settings);
  const kept = readFileSync(file, "utf8");
  if (kept !== settings) throw new SmolError(`output: ${output} belongs to a run of ${kept}, got ${settings}; change them back, or name another folder`);
}

/** The drawings of the things with these names. */
function chosen(drawings: Drawings, things: readonly string[] | undefined): Drawings {
  if (!things) return drawings;
  const unknown = things.find((name) => !drawings.training.some(({ concept }) => concept.name === name));
  if (unknown !== undefined) throw new SmolError(`things: expected names of drawings to learn from, got "${unknown}"`);
  return { ...drawings, training: drawings.training.filter(({ concept }) => things.includes(concept.name)) };
}

/** What the untrained model says, from the file of an earlier start of this run or from itself. */
async function talkOf(llava: Llava, { output, talk, seed, signal, onProgress }: SmolRun, { training }: Drawings): Promise<Talk> {
  const file = join(output, "talk.json");
  if (!existsSync(file)) {
    const concepts = shuffled(new Random(seed), [...new Set(training.map(({ concept }) => concept))]).slice(0, talk.things);
    const heard = await hearTalk(llava, {
      concepts,
      maxNewTokens: talk.maxNewTokens,
      ...(signal ? { signal } : {}),
      onProgress: (done, all) => onProgress?.({ kind: "talk", done, all }),
    });
    writeFileSync(file, `${JSON.stringify(heard, null, 2)}\n`);
  }
  return JSON.parse(readFileSync(file, "utf8")) as Talk;
}

interface Stage {
  readonly number: 1 | 2;
  readonly lessons: SampleSource;
  readonly options: Pick<TrainerOptions, "trainable" | "lora">;
  /** Folder of its checkpoint, and whether there is one to go on from. */
  readonly checkpoint: string;
  readonly begun: boolean;
}

/** Returns whether the stage is done. */
async function trainStage(llava: Llava, run: SmolRun, { number: stage, lessons, options, checkpoint, begun }: Stage): Promise<boolean> {
  const { batchSize, output, checkpointEvery, signal, onProgress } = run;
  const steps = run.steps[stage - 1];
  const settings: TrainerOptions = { ...options, learningRate: run.learningRates[stage - 1], schedule: { kind: "cosine", warmupRatio: 0.03, steps } };
  const trainer = begun ? await Trainer.resume(llava, checkpoint, settings) : await Trainer.create(llava, settings);
  let position = trainer.data as SamplerState | undefined;
  const sampler = new Sampler(lessons.count, { batch: batchSize, order: "file", ...(position ? { state: position } : {}) });
  // The pictures are pixels already: there is nothing for workers to decode.
  const batches = loadBatches(lessons, sampler, llava, { ...layout, workers: 0 });
  const first = trainer.stepCount;
  const began = performance.now();
  try {
    while (trainer.stepCount < steps && !signal?.aborted) {
      const { value } = await batches.next();
      const { batch, state } = value!;
      const { loss, gradientNorm } = await trainer.step(padRows(batch, llava.config.imageToken, PAD));
      position = state;
      const step = trainer.stepCount;
      const samplesPerSecond = ((step - first) * batchSize * 1000) / (performance.now() - began);
      const progress = { stage, step, steps, loss, gradientNorm, samplesPerSecond };
      appendFileSync(join(output, "log.jsonl"), `${JSON.stringify(progress)}\n`);
      onProgress?.({ kind: "step", ...progress });
      if (step % checkpointEvery === 0 && step < steps) await trainer.checkpoint(checkpoint, { data: position });
    }
    await trainer.checkpoint(checkpoint, { data: position });
    return trainer.stepCount === steps;
  } finally {
    await batches.return();
    await trainer.dispose();
  }
}

/** Progress on standard error: a line that is drawn over on a terminal, a few lines elsewhere. */
function show(progress: SmolProgress): void {
  const { stderr } = process;
  const { words, seldom } = wordsOf(progress);
  if (stderr.isTTY) stderr.write(`\r\x1b[2K${words}`);
  else if (seldom) stderr.write(`${words}\n`);
}

function wordsOf(progress: SmolProgress): { words: string; seldom: boolean } {
  if (progress.kind === "talk") {
    const { done, all } = progress;
    return { words: `listening to the language model: ${done} of ${all} answers`, seldom: done === all || done % 20 === 0 };
  }
  const { stage, step, steps, loss, samplesPerSecond } = progress;
  const words = `stage ${stage}  step ${step}/${steps}  loss ${loss.toFixed(3)}  ${samplesPerSecond.toFixed(1)} samples/s`;
  return { words, seldom: step === 1 || step === steps || step % 10 === 0 };
}

/** Two numbers, one for each stage. */
function pair(text: string, option: string): [number, number] {
  const numbers = text.split(",").map(Number);
  if (numbers.length !== 2 || !numbers.every((value) => value > 0)) throw new SmolError(`--${option}: expected two numbers above 0 with a comma between, got ${text}`);
  return numbers as [number, number];
}

/** Command line. */
export async function main(args: readonly string[]): Promise<void> {
  const text = (value?: string) => ({ type: "string", ...(value === undefined ? {} : { default: value }) }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: text(), output: text(), steps: text("2000,8000"), batch: text("32"), rates: text("1e-3,2e-4"), things: text(),
      talk: text("300"), cache: text(defaultCache), adapter: text(), weights: text("auto"), seed: text("1"),
      "checkpoint-every": text("200"), resume: { type: "boolean", default: false },
    },
  });
  const { model, output, cache, adapter, weights, things, resume } = values;
  if (!model || !output) throw new SmolError("train: expected --model and --output, each with a folder");
  const stop = new AbortController();
  const interrupt = (): void => {
    process.stderr.write("\nstopping behind this step; again to stop at once\n");
    stop.abort();
  };
  process.once("SIGINT", interrupt);
  const finished = await trainSmol({
    model,
    output,
    drawings: loadDrawings(cache!),
    ...(things ? { things: things.split(",") } : {}),
    steps: pair(values.steps!, "steps"),
    learningRates: pair(values.rates!, "rates"),
    batchSize: Number(values.batch),
    talk: { things: Number(values.talk), maxNewTokens: 48 },
    seed: Number(values.seed),
    checkpointEvery: Number(values["checkpoint-every"]),
    ...(adapter ? { adapter } : {}),
    weights: weights as "auto" | "f32" | "f16",
    resume,
    signal: stop.signal,
    onProgress: show,
  }).finally(() => process.off("SIGINT", interrupt));
  if (process.stderr.isTTY) process.stderr.write("\n");
  console.log(finished ? join(output, "model") : "interrupted; go on with the same command and --resume");
}
