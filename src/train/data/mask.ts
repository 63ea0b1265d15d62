import { conversationTemplate } from "../../../tokenizer/templates.ts";
import type { Turn } from "../../../tokenizer/templates.ts";
import type { Tokenizer } from "../../../tokenizer/tokenizer.ts";
import { encodeAroundImages, imageTokenIndex } from "../../input/prompt.ts";
import { imagePlaceholder } from "./placement.ts";
import { strip } from "./whitespace.ts";

/** What marks a token that is not learnt (PyTorch's `ignore_index`). */
export const ignoreIndex = -100;

/** A rendered conversation with a label for every token. */
export interface Masked {
  readonly prompt: string;
  /** [n]; -200 stands for a picture */
  readonly ids: number[];
  /** [n]; the token's id, or -100 */
  readonly labels: number[];
  /** The count of the rounds' tokens did not add up; then nothing is learnt. */
  readonly mismatch: boolean;
}

/** "plain": everything behind the picture is learnt, that is the caption and a newline. */
export function maskCaption(tokenizer: Tokenizer, caption: string): Masked {
  const bos = bosOf(tokenizer);
  const prompt = `${imagePlaceholder}${caption}\n`;
  const ids = encodeAroundImages(tokenizer, prompt, bos);
  const masked = encodeAroundImages(tokenizer, imagePlaceholder, bos).length;
  return { prompt, ids, labels: labelled(ids, (i) => i >= masked), mismatch: false };
}

/** Templates made of rounds: what separates a round's question from its answer, the last space included. */
const markers = { v1: " ASSISTANT: ", llama_2: "[/INST] ", mistral_instruct: "[/INST] " } as const;

export type RoundTemplate = keyof typeof markers;

/**
 * Templates whose rounds end with `</s>`: what follows the marker is learnt, and the `</s>`.
 *
 * Each round is tokenised by itself to find out where its answer begins. Of a question's tokens the last does not
 * count: it is the lone space of the marker, which in the whole text belongs to the answer. A round without marker, or
 * with two, ends the search. The reference counts on a tokenizer that puts BOS in front; without BOS its second round
 * would begin one token early and void the sample, here it does not.
 */
export function maskRounds(
  tokenizer: Tokenizer,
  turns: readonly Turn[],
  template: RoundTemplate,
  maxLength: number,
  system?: string,
): Masked {
  const prompt = conversationTemplate(template).render(turns, system === undefined ? {} : { system });
  const bos = bosOf(tokenizer);
  const front = bos === undefined ? 0 : 1;
  const count = (text: string) => encodeAroundImages(tokenizer, text, bos).length - front;
  const whole = encodeAroundImages(tokenizer, prompt, bos);
  // The reference cuts before it counts only where there is no picture, which decides what it calls a mismatch.
  const ids = prompt.includes(imagePlaceholder) ? whole : whole.slice(0, maxLength);

  const marker = markers[template];
  const learnt = new Set<number>();
  let position = front;
  for (const round of prompt.split("</s>")) {
    const parts = round.split(marker);
    if (parts.length !== 2) break;
    const end = position + count(round) + 1;
    for (let i = position + count(parts[0] + marker) - 1; i < end; i++) learnt.add(i);
    position = end;
  }
  const mismatch = position < maxLength && position !== ids.length;
  return { prompt, ids, labels: labelled(ids, (i) => !mismatch && learnt.has(i)), mismatch };
}

interface MessageLayout {
  readonly render: (turn: Turn, index: number) => string;
  /** Tokens that are learnt wherever they stand, as the vocabulary spells them ("Ċ" is the newline). */
  readonly marks: readonly string[];
}

const layouts = {
  qwen: {
    render: ({ role, text }) => `<|im_start|>${role}\n${text}<|im_end|>\n`,
    marks: ["Ċ", "<|im_start|>", "<|im_end|>"],
  },
  // The reference means to learn two newlines anywhere, too, but looks them up by their printed form and finds nothing.
  llama_3: {
    render: ({ role, text }, index) => {
      const begin = index === 0 ? "<|begin_of_text|>" : "";
      return `${begin}<|start_header_id|>${role}<|end_header_id|>\n\n${strip(text)}<|eot_id|>`;
    },
    marks: ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
  },
} as const satisfies Record<string, MessageLayout>;

export type MessageTemplate = keyof typeof layouts;

/** Templates of messages: each is tokenised by itself; those of the assistant are learnt whole, so are the marks. */
export function maskMessages(
  tokenizer: Tokenizer,
  turns: readonly Turn[],
  template: MessageTemplate,
  system = conversationTemplate(template).system,
): Masked {
  const { render, marks }: MessageLayout = layouts[template];
  const marked = new Set(marks.map((mark) => tokenizer.idOf(mark)));
  const messages: Turn[] = system === "" ? [...turns] : [{ role: "system", text: system }, ...turns];
  const rendered = messages.map(render);
  const ids: number[] = [];
  const labels: number[] = [];
  for (const [m, text] of rendered.entries()) {
    const own = encodePieces(tokenizer, text);
    ids.push(...own);
    labels.push(...labelled(own, (i) => messages[m].role === "assistant" || marked.has(own[i])));
  }
  return { prompt: rendered.join(""), ids, labels, mismatch: false };
}

/** Tokens without BOS, -200 for each picture. */
function encodePieces(tokenizer: Tokenizer, text: string): number[] {
  const bare = { encode: (piece: string) => tokenizer.encode(piece, { addSpecialTokens: false }) };
  return encodeAroundImages(bare, text, undefined);
}

/** Labels [n]: the id where `learns`, -100 elsewhere and at pictures. */
function labelled(ids: readonly number[], learns: (position: number) => boolean): number[] {
  return ids.map((id, i) => (id !== imageTokenIndex && learns(i) ? id : ignoreIndex));
}

/** The token that the tokenizer puts in front of a text, if any. */
function bosOf(tokenizer: Tokenizer): number | undefined {
  const [first] = tokenizer.encode("a");
  return first === tokenizer.encode("a", { addSpecialTokens: false })[0] ? undefined : first;
}
