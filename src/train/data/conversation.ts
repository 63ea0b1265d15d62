import type { Turn } from "../../../tokenizer/templates.ts";
import type { Tokenizer } from "../../../tokenizer/tokenizer.ts";
import { imageTokenIndex } from "../../input/prompt.ts";
import { checkChoice, checkCount, DataError, SampleError } from "./error.ts";
import { ignoreIndex, maskCaption, maskMessages, maskRounds } from "./mask.ts";
import type { Masked } from "./mask.ts";
import { checkPlaceholders, imagePlaceholder, placeImages, placements } from "./placement.ts";
import type { Placement } from "./placement.ts";
import { humanFirst, parseConversations } from "./sample.ts";
import type { RawSample, SampleTurn } from "./sample.ts";

/** The layouts that can be trained on. */
export const trainingTemplates = ["plain", "v1", "llama_2", "mistral_instruct", "qwen", "llama_3"] as const;

export type TrainingTemplate = (typeof trainingTemplates)[number];

/** How a conversation becomes tokens. */
export interface ConversationOptions {
  readonly template: TrainingTemplate;
  /** How many pictures belong to it, or the pictures. Absent: as many as there are placeholders. */
  readonly images?: number | readonly unknown[];
  /** Where pictures stand. Default "interleaved". */
  readonly placement?: Placement;
  /** Longest row in tokens, before and after pictures are expanded. Default 2048, as in LLaVA's scripts. */
  readonly maxLength?: number;
  /** Instead of the template's own system text; `""` for none. "plain" has none. */
  readonly system?: string;
  /** Names the sample in errors. */
  readonly id?: string;
}

/** A conversation as tokens: -200 stands for each picture; a label is its token's id, or -100 if that is not learnt. */
export interface EncodedConversation {
  /** The whole text, before it is cut. */
  readonly prompt: string;
  /** [n], n at most `maxLength` */
  readonly inputIds: number[];
  /** [n], not shifted */
  readonly labels: number[];
  /**
   * The rounds' token counts did not add up, so that all of the conversation is masked, as in the reference: an empty
   * or missing last answer, " ASSISTANT: " inside an answer, a tokenizer that treats rounds otherwise than LLaMA's.
   */
  readonly mismatch: boolean;
}

/** LLaVA's default `model_max_length` in tokens. */
export const defaultMaxLength = 2048;

/**
 * Token ids and answer-only labels of a conversation, as the preprocessing functions of LLaVA and LLaVA-NeXT
 * (`train.py`: `preprocess_plain`, `_v1`, `_llama_2`, `_qwen`, `_llama3`) make them.
 *
 * | template | what is learnt |
 * |---|---|
 * | plain | the caption and its final newline; the question is dropped, nothing ends the sequence |
 * | v1 | answers and each `</s>` |
 * | llama_2, mistral_instruct | answers, the space behind them, each `</s>` |
 * | qwen | assistant messages with header and end; every single newline, `<|im_start|>` and `<|im_end|>` anywhere |
 * | llama_3 | assistant messages with header and end; `<|begin_of_text|>`, header and end tokens anywhere |
 *
 * @param conversations turns `{ from, value }`; a first turn that is not the human's is dropped
 * @throws SampleError for broken turns or a wrong number of placeholders, DataError for a setting that does not exist
 */
export function encodeConversation(
  tokenizer: Tokenizer,
  conversations: RawSample["conversations"],
  options: ConversationOptions,
): EncodedConversation {
  const { template, images, placement = "interleaved", maxLength = defaultMaxLength, id = "conversation" } = options;
  checkConversationOptions(options);
  const turns = placeImages(parseConversations(conversations, id), placement);
  const spoken = template === "plain" ? captionOnly(turns, id) : humanFirst(turns);
  if (images !== undefined) checkPlaceholders(spoken, typeof images === "number" ? images : images.length, id);
  const { prompt, ids, labels, mismatch } = mask(tokenizer, spoken, template, maxLength, options.system);
  return { prompt, inputIds: ids.slice(0, maxLength), labels: labels.slice(0, maxLength), mismatch };
}

/**
 * The conversation with its i-th -200 replaced by rowCounts[i] times `imageToken`, none of which learns; cut to
 * `maxLength` before and after.
 *
 * @throws DataError if there are more pictures in the ids than counts
 */
export function expandConversation(
  { inputIds, labels }: Pick<EncodedConversation, "inputIds" | "labels">,
  rowCounts: readonly number[],
  imageToken: number,
  maxLength: number = defaultMaxLength,
): { inputIds: number[]; labels: number[] } {
  const expanded = { inputIds: [] as number[], labels: [] as number[] };
  let pictures = 0;
  for (let i = 0; i < Math.min(inputIds.length, maxLength); i++) {
    const isImage = inputIds[i] === imageTokenIndex;
    const count = isImage ? rowCounts[pictures++] : 1;
    if (count === undefined) throw new DataError("rowCounts", `expected one count a picture, got ${rowCounts.length}`);
    for (let row = 0; row < count && expanded.inputIds.length < maxLength; row++) {
      expanded.inputIds.push(isImage ? imageToken : inputIds[i]);
      expanded.labels.push(isImage ? ignoreIndex : labels[i]);
    }
  }
  return expanded;
}

/** @throws DataError for a setting that does not exist */
export function checkConversationOptions(options: ConversationOptions): void {
  const { template, images, placement = "interleaved", maxLength = defaultMaxLength, system } = options;
  checkChoice("template", template, trainingTemplates);
  checkChoice("placement", placement, placements);
  checkCount("maxLength", maxLength, 1);
  if (images !== undefined) checkCount("images", typeof images === "number" ? images : images.length, 0);
  if (system !== undefined && typeof system !== "string") {
    throw new DataError("system", `expected text, got ${typeof system}`);
  }
  if (system && template === "plain") throw new DataError("system", 'expected none with template "plain", got a text');
}

/** Stage 1 has one picture and one caption; what is asked about the picture is thrown away. */
function captionOnly(turns: readonly SampleTurn[], id: string): SampleTurn[] {
  const [question, caption] = turns;
  if (turns.length !== 2 || question.from !== "human" || !question.value.includes(imagePlaceholder)) {
    const expected = `template "plain" expects a question with ${imagePlaceholder} and a caption`;
    throw new SampleError(id, "conversations", `${expected}, got ${turns.length} turns`);
  }
  return [{ from: "human", value: imagePlaceholder }, caption];
}

/** The rendered turns with their labels. */
function mask(
  tokenizer: Tokenizer,
  said: readonly SampleTurn[],
  template: TrainingTemplate,
  maxLength: number,
  system?: string,
): Masked {
  const turns = said.map(({ from, value }): Turn => ({ role: from === "human" ? "user" : "assistant", text: value }));
  if (template === "plain") return maskCaption(tokenizer, turns[1].text);
  if (template === "qwen" || template === "llama_3") return maskMessages(tokenizer, turns, template, system);
  return maskRounds(tokenizer, turns, template, maxLength, system);
}
