/** How well a model in training does on samples that it does not learn from. */
import { conversationTemplates } from "../../tokenizer/templates.ts";
import type { Llava } from "../llava.ts";
import { encodeSample, type EncodedSample, padSamples } from "./data/collate.ts";
import { type CollateOptions, EmptyBatchError, placeImages, SampleError, type SampleSource } from "./data/index.ts";
import { picturePath } from "./data/path.ts";
import type { Trainer } from "./trainer.ts";
import type { TrainingBatch } from "./training-batch.ts";

export interface Evaluation {
  /** Mean cross entropy of the learning tokens. */
  readonly loss: number;
  /** Share of first questions whose answer is right, letter for letter (but for space around it). */
  readonly accuracy: number;
  readonly questions: number;
}

export interface EvaluationOptions {
  /** With `onBadSample: "skip"` bad samples are told to `report`, and neither measured nor asked. */
  readonly collate: CollateOptions;
  readonly batchSize: number;
  /** How many samples the loss is measured on. */
  readonly samples: number;
  /** How many samples are asked. */
  readonly questions: number;
  readonly maxNewTokens: number;
  /** Makes shapes of batches that compiled programs are there for. */
  readonly pad: (batch: TrainingBatch) => TrainingBatch;
  readonly signal?: AbortSignal;
}

/**
 * Measures loss and accuracy on the first samples of a source. Throws as `collate` (`EmptyBatchError` if none of them is usable)
 * and `Llava.generate`.
 */
export async function evaluate(llava: Llava, trainer: Trainer, source: SampleSource, options: EvaluationOptions): Promise<Evaluation> {
  const { batchSize, pad, maxNewTokens, signal } = options;
  const samples = Math.min(options.samples, source.count);
  let bad: SampleError | undefined;
  /** Of every sample that was encoded. */
  const usable = new Map<number, boolean>();
  const encode = async (index: number): Promise<EncodedSample[]> => {
    const outcome = await encodeSample(() => source.sample(index), llava, options.collate);
    usable.set(index, !(outcome instanceof SampleError));
    if (!(outcome instanceof SampleError)) return [outcome];
    bad = outcome;
    options.collate.report?.(outcome);
    return [];
  };
  let sum = 0;
  let tokens = 0;
  for (let first = 0; first < samples; first += batchSize) {
    signal?.throwIfAborted();
    const encoded: EncodedSample[] = [];
    for (let index = first; index < Math.min(samples, first + batchSize); index++) encoded.push(...(await encode(index)));
    if (encoded.length === 0) continue;
    const scores = await trainer.scores(pad(padSamples(encoded, llava.config)));
    sum -= scores.logProbabilities.reduce((total, value) => total + value, 0);
    tokens += scores.tokens.reduce((total, value) => total + value, 0);
  }
  if (tokens === 0) throw new EmptyBatchError(samples, bad);
  let questions = 0;
  let right = 0;
  for (let index = 0; index < Math.min(options.questions, source.count); index++) {
    signal?.throwIfAborted();
    if (!usable.has(index)) await encode(index);
    if (!usable.get(index)) continue;
    questions++;
    if (await isRight(llava, await source.sample(index), options.collate, maxNewTokens)) right++;
  }
  return { loss: sum / tokens, accuracy: right / Math.max(1, questions), questions };
}

/** Asks the first question of a sample with the layout that it is trained in. */
async function isRight(
  llava: Llava,
  { images, conversations }: Awaited<ReturnType<SampleSource["sample"]>>,
  { template, placement = "interleaved", system, imageFolder }: CollateOptions,
  maxNewTokens: number,
): Promise<boolean> {
  const turns = placeImages(conversations, placement);
  const asked = turns.findIndex(({ from }) => from === "human");
  const [question, answer] = [turns[asked]!, turns[asked + 1]];
  if (!answer) return false;
  const layout = conversationTemplates.get(template)!;
  const prompt = layout.render([{ role: "user", text: question.value }], { addGenerationPrompt: true, ...(system === undefined ? {} : { system }) });
  const shown = question.value.split("<image>").length - 1;
  const pictures = images.slice(0, shown).map((source) => picturePath(imageFolder, source));
  const { text } = await llava.generate({ prompt, images: pictures, template: "none" }, { maxNewTokens });
  return text.trim() === answer.value.trim();
}
