/**
 * Asks a model of `assemble` or `train` for the names of drawings that training never saw, and talks with it about some.
 * README.md has the command.
 *
 *     --model FOLDER [--count 200] [--things "dog,pizza"] [--cache FOLDER] [--adapter NAME] [--weights auto]
 */
import { parseArgs } from "node:util";
import { Llava, type Message } from "llava-webgpu";
import { type Drawings, loadDrawings } from "../train-emoji/drawings.ts";
import { type EvaluationItem, nameEverything } from "../train-emoji/held-out.ts";
import { defaultCache } from "../train-emoji/prepare.ts";
import { score } from "../train-emoji/scores.ts";
import { SmolError } from "./error.ts";

/** One question with the model's answer. */
export interface Named {
  readonly item: EvaluationItem;
  readonly text: string;
  /** The text is the name, letter for letter. */
  readonly right: boolean;
}

export interface NamingOptions {
  /** How many drawings of every held-out vendor, spread evenly over the list. */
  readonly count: number;
  /** Only drawings of these things. */
  readonly things?: readonly string[];
}

/** "What is this?" about drawings of the held-out vendors. */
export async function nameHeldOut(llava: Llava, drawings: Pick<Drawings, "heldOut">, { count, things }: NamingOptions): Promise<Named[]> {
  const asked = Object.keys(drawings.heldOut).flatMap((set) => {
    const items = nameEverything(drawings, set).filter(({ answer }) => things?.includes(answer) ?? true);
    const wanted = Math.min(count, items.length);
    return Array.from({ length: wanted }, (_, i) => items[Math.floor((i * items.length) / wanted)]);
  });
  const named: Named[] = [];
  for (const item of asked) {
    const { text } = await llava.generate({ images: [...item.images], prompt: item.question }, { maxNewTokens: 16 });
    named.push({ item, text: text.trim(), right: score(item, text) === 1 });
  }
  return named;
}

/** Asks one question after the other about a picture. @returns the answers */
export async function converse(llava: Llava, picture: EvaluationItem["images"][number], questions: readonly string[]): Promise<string[]> {
  const messages: Message[] = [];
  const answers: string[] = [];
  for (const text of questions) {
    messages.push({ role: "user", content: messages.length === 0 ? [{ type: "image" }, { type: "text", text }] : text });
    const answer = (await llava.generate({ messages, images: [picture] }, { maxNewTokens: 48 })).text.trim();
    messages.push({ role: "assistant", content: answer });
    answers.push(answer);
  }
  return answers;
}

/** What is said about the first pictures; animals are asked what they eat. */
const questions = ["What is this?", "Tell me something about it.", "What does it like to eat?"];

/** Pictures that are talked about. */
const TALKS = 3;

/** Command line. */
export async function main(args: readonly string[]): Promise<void> {
  const text = (value?: string) => ({ type: "string", ...(value === undefined ? {} : { default: value }) }) as const;
  const options = { model: text(), count: text("200"), things: text(), cache: text(defaultCache), adapter: text("auto"), weights: text("auto") };
  const { model, count, things, cache, adapter, weights } = parseArgs({ args: [...args], options }).values;
  if (!model) throw new SmolError("evaluate: expected --model with a folder");
  const drawings = loadDrawings(cache!, ["twemoji", "openmoji"]);
  const llava = await Llava.load(model, { adapter, weights: weights as "auto" | "f32" | "f16" });
  const named = await nameHeldOut(llava, drawings, { count: Number(count), ...(things ? { things: things.split(",") } : {}) });
  for (const set of Object.keys(drawings.heldOut)) {
    const of = named.filter(({ item }) => item.set === set);
    console.log(`${set}: ${of.filter(({ right }) => right).length} of ${of.length} names right`);
  }
  for (const { item, text: answer } of named.slice(0, 12)) console.log(`  ${item.answer}: ${JSON.stringify(answer)}`);
  for (const { item } of named.slice(0, TALKS)) {
    const answers = await converse(llava, item.images[0], questions);
    console.log(`\nA ${item.set} drawing of: ${item.answer}`);
    for (const [i, question] of questions.entries()) console.log(`  ${question}\n    ${answers[i]}`);
  }
  await llava.dispose();
}
