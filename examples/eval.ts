/**
 * `npm run eval`: asks the embedded model all 306 held-out questions and compares its answers with the right ones and with
 * those of Hugging Face transformers.
 *
 *     npm run eval [-- --adapter NAME] [--json] [--limit N] [--model FOLDER]
 *
 * Another model's folder has transformers' answers in a `reference.jsonl`, which `test/golden/emoji/make.py` writes.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Llava, LlavaError, type Message, type Request, type StepRecord } from "llava-webgpu";

const folder = fileURLToPath(new URL("../test/golden/emoji/", import.meta.url));

/** A held-out picture with a question, the right answer and the answer that transformers generates greedily in float32. */
export interface Question {
  readonly id: number;
  /** Path below `test/golden/emoji`. */
  readonly image: string;
  /** Earlier turns: [question, answer] each. The picture belongs to the first turn. */
  readonly history?: readonly (readonly [string, string])[];
  readonly question: string;
  readonly answer: string;
  readonly kind: string;
  readonly transformers: {
    readonly text: string;
    readonly token_ids: readonly number[];
    /** The five largest logits of every step; the first 40 questions have them. */
    readonly top5?: readonly { readonly ids: readonly number[]; readonly logits: readonly number[] }[];
  };
}

/** One question as this library answered it. */
export interface Answered {
  readonly question: Question;
  readonly tokens: readonly number[];
  readonly text: string;
  /** The text is the right answer, letter for letter. */
  readonly exact: boolean;
  /** The tokens are transformers' own. */
  readonly same: boolean;
  /** Largest |logit - transformers' logit| over the five best of every step, as a share of the step's largest logit. */
  readonly logitError?: number;
}

/** Answers of one kind of question, counted. */
export interface KindCount {
  readonly kind: string;
  readonly questions: number;
  readonly exact: number;
  readonly same: number;
}

/** All questions in the order of their ids, with what transformers answers with the embedded model, or with one in a folder. */
export function readQuestions(model = folder): Question[] {
  const references = join(model, "reference.jsonl");
  if (!existsSync(references)) throw new TypeError(`--model: expected reference.jsonl in ${model}, got none; test/golden/emoji/make.py writes it`);
  const lines = <T>(path: string): T[] => readFileSync(path, "utf8").trim().split("\n").map((line) => JSON.parse(line) as T);
  const transformers = lines<Question["transformers"]>(references);
  return lines<Omit<Question, "transformers">>(join(folder, "eval.jsonl")).map((question, i) => ({ ...question, transformers: transformers[i] }));
}

/** Generates the answer to a question greedily. */
export async function answer(llava: Llava, question: Question): Promise<Answered> {
  const { top5, token_ids: wanted } = question.transformers;
  const result = await llava.generate(requestOf(question), { maxNewTokens: 64, topLogits: top5 ? 5 : 0 });
  return {
    question,
    tokens: result.tokens,
    text: result.text,
    exact: result.text === question.answer,
    same: result.tokens.join() === wanted.join(),
    ...(top5 ? { logitError: logitError(result.steps!, top5) } : {}),
  };
}

/** Where an answer leaves transformers' one, and by how much: asks the model again, now for its logits. */
export async function divergence(llava: Llava, { question, tokens }: Answered): Promise<string> {
  const wanted = question.transformers.token_ids;
  const step = wanted.findIndex((token, i) => tokens[i] !== token);
  const { steps } = await llava.generate(requestOf(question), { maxNewTokens: step + 1, topLogits: llava.config.text.vocabulary });
  const logit = (wanted: number) => steps!.at(-1)!.top.find(({ token }) => token === wanted)!.logit;
  const gap = logit(tokens[step]) - logit(wanted[step]);
  return `question ${question.id}, token ${step + 1}: ${tokens[step]}, transformers has ${wanted[step]}, their logits differ by ${gap.toExponential(1)}`;
}

function requestOf({ history = [], question, image }: Question): Request {
  const asked = [...history.map(([asked]) => asked), question];
  const messages = asked.flatMap((text, turn): Message[] => [
    { role: "user", content: turn === 0 ? [{ type: "image" }, { type: "text", text }] : text },
    ...(turn < history.length ? [{ role: "assistant", content: history[turn][1] }] : []),
  ]);
  return { messages, images: [join(folder, image)] };
}

/** The largest share over all steps; infinite if the five best tokens are others. */
function logitError(steps: readonly StepRecord[], wanted: NonNullable<Question["transformers"]["top5"]>): number {
  const errors = wanted.map(({ ids, logits }, i) => {
    const top = steps[i]?.top ?? [];
    if (top.map(({ token }) => token).join() !== ids.join()) return Infinity;
    return Math.max(...top.map(({ logit }, j) => Math.abs(logit - logits[j]))) / Math.max(...logits.map(Math.abs));
  });
  return Math.max(...errors);
}

/** Counts per kind of question, in the order in which the kinds first occur, and of all. */
export function count(answers: readonly Answered[]): KindCount[] {
  const kinds = [...new Set(answers.map(({ question }) => question.kind))];
  const row = (kind: string, of: readonly Answered[]): KindCount => ({
    kind,
    questions: of.length,
    exact: of.filter(({ exact }) => exact).length,
    same: of.filter(({ same }) => same).length,
  });
  return [...kinds.map((kind) => row(kind, answers.filter(({ question }) => question.kind === kind))), row("all", answers)];
}

/** The table that the command prints. */
export function table(counts: readonly KindCount[]): string {
  const rows = counts.map(({ kind, questions, exact, same }) => [
    kind,
    String(questions),
    String(exact),
    `${Math.round((100 * exact) / questions)} %`,
    `${same} of ${questions}`,
  ]);
  const all = [["kind", "questions", "right", "", "as transformers"], ...rows];
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)));
  return all.map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  ")).join("\n");
}

/** The command. Exits with status 1 for a user's mistake. */
export async function main(args: readonly string[]): Promise<void> {
  let llava: Llava | undefined;
  try {
    const { values } = parseArgs({ args: [...args], options: { adapter: { type: "string" }, json: { type: "boolean" }, limit: { type: "string" }, model: { type: "string" } } });
    const limit = values.limit === undefined ? undefined : Number(values.limit);
    if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1)) throw new TypeError(`--limit: expected a whole number of at least 1, got ${values.limit}`);
    const questions = readQuestions(values.model).slice(0, limit);
    llava = await Llava.load(values.model, { adapter: values.adapter ?? "auto" });
    await report(llava, questions, values.json ?? false);
  } catch (error) {
    if (!(error instanceof LlavaError || error instanceof TypeError)) throw error;
    console.error(`eval: ${error.message}`);
    process.exitCode = 1;
  } finally {
    await llava?.dispose();
  }
}

async function report(llava: Llava, questions: readonly Question[], json: boolean): Promise<void> {
  const began = performance.now();
  const answers: Answered[] = [];
  for (const question of questions) answers.push(await answer(llava, question));
  const seconds = (performance.now() - began) / 1000;
  const tokens = answers.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const kinds = count(answers);
  const different: string[] = [];
  for (const each of answers.filter(({ same }) => !same)) different.push(await divergence(llava, each));
  const logitError = Math.max(0, ...answers.map(({ logitError = 0 }) => logitError));
  const { name } = llava.adapter;
  if (json) {
    console.log(JSON.stringify({ adapter: name, seconds, tokens, logitError, kinds, different }));
    return;
  }
  console.log(table(kinds));
  for (const line of different) console.log(line);
  console.log(`logits: at most ${logitError.toExponential(1)} of the largest from transformers'`);
  console.log(`${(answers.length / seconds).toFixed(1)} answers/s, ${(tokens / seconds).toFixed(0)} tokens/s in ${seconds.toFixed(1)} s on ${name}`);
}
