/** The tokenizer of the default model: a byte-pair vocabulary with LLaMA's conventions, trained on the model's own texts. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { learnMerges, phrasesOf, SPACE, unitsOf } from "./bpe.ts";

/** First ids, as in LLaMA: unknown, begin, end. */
const first = ["<unk>", "<s>", "</s>"] as const;
/** Last ids: what stands for an image row, and what fills up batches. */
const last = ["<image>", "<pad>"] as const;
const special = [...first, ...last];
const specialToken = new RegExp(special.join("|"), "u");

/** For bytes of characters that are not in the vocabulary: "<0x00>" to "<0xFF>". */
const byteTokens = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);

/** Printable ASCII is always in the vocabulary, whether or not the texts have it. */
const printable = Array.from({ length: 126 - 32 }, (_, i) => String.fromCharCode(33 + i));

/** A tokenizer.json, as far as its writer has to know it. */
export interface TokenizerJson {
  readonly added_tokens: readonly { readonly id: number; readonly content: string }[];
  readonly [key: string]: unknown;
}

export interface TokenizerOptions {
  /** Tokens in all, the special ones and the 256 bytes included; fewer if the texts have no more to merge. */
  readonly size?: number;
  /** How many of them may be made before merges may cross from word to word; by default they never may. */
  readonly words?: number;
}

/**
 * A tokenizer.json from texts and how often each occurs: questions and answers, or whole dialogues; special tokens in them
 * are not learnt from. All characters of the texts are tokens, except control characters and line ends, which
 * are spelt as bytes like every character that the texts do not have. The same texts give the same file in any order.
 *
 * @throws Error if `size` has no room for the special tokens, the bytes and the characters
 */
export function trainTokenizer(texts: Iterable<readonly [text: string, count: number]>, { size = 1536, words = size }: TokenizerOptions = {}): TokenizerJson {
  const units = new Map<string, number>();
  const phrases = new Map<string, number>();
  for (const [text, count] of texts) {
    // As in the tokenizer: text between special tokens is text on its own.
    for (const part of text.split(specialToken).filter((part) => part !== "")) {
      for (const unit of unitsOf(part)) units.set(unit, (units.get(unit) ?? 0) + count);
      if (words < size) for (const phrase of phrasesOf(part)) phrases.set(phrase, (phrases.get(phrase) ?? 0) + count);
    }
  }
  const characters = [...units.keys()].flatMap((unit) => [...unit]).filter((character) => !/\p{C}|\p{Zl}|\p{Zp}/u.test(character));
  const alphabet = [...new Set([...printable, SPACE, ...characters])].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  const fixed = special.length + byteTokens.length;
  if (size < fixed + alphabet.length) {
    throw new Error(`trainTokenizer: the texts need a size of at least ${fixed + alphabet.length}, for all characters and bytes, got ${size}`);
  }
  const inWords = learnMerges(units, alphabet, Math.min(words, size) - fixed);
  const { tokens, merges } = words < size ? learnMerges(phrases, alphabet, size - fixed, inWords) : inWords;
  return tokenizerJson([...first, ...byteTokens, ...tokens], merges);
}

/** The file of the Rust library `tokenizers` for a vocabulary in the order of its ids; the last special tokens follow it. */
function tokenizerJson(vocabulary: readonly string[], merges: readonly (readonly [string, string])[]): TokenizerJson {
  const ids = new Map([...vocabulary, ...last].map((token, id) => [token, id]));
  const begin = (type: 0 | 1) => ({ SpecialToken: { id: "<s>", type_id: type } });
  const sequence = (id: "A" | "B", type: 0 | 1) => ({ Sequence: { id, type_id: type } });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special.map((content) => ({
      id: ids.get(content)!,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: SPACE },
        { type: "Replace", pattern: { String: " " }, content: SPACE },
      ],
    },
    // No merge crosses a boundary of units, so nothing has to be cut before merging.
    pre_tokenizer: null,
    post_processor: {
      type: "TemplateProcessing",
      single: [begin(0), sequence("A", 0)],
      pair: [begin(0), sequence("A", 0), begin(1), sequence("B", 1)],
      special_tokens: { "<s>": { id: "<s>", ids: [ids.get("<s>")!], tokens: ["<s>"] } },
    },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: SPACE }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: "<unk>",
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
      merges,
    },
  };
}

/**
 * LLaVA-1.5's turns (its template "v1" without the system text): `USER: <image>\nquestion ASSISTANT: answer</s>USER: ...`,
 * pictures in front of the text.
 */
const chatTemplate = `
{%- for message in messages -%}
  {%- if message['role'] == 'user' -%}
    {{- 'USER: ' -}}
  {%- elif message['role'] == 'assistant' -%}
    {{- 'ASSISTANT: ' -}}
  {%- endif -%}
  {%- if message['content'] is string -%}
    {{- message['content'] -}}
  {%- else -%}
    {%- for part in message['content'] if part['type'] == 'image' -%}
      {{- '<image>\\n' -}}
    {%- endfor -%}
    {%- for part in message['content'] if part['type'] == 'text' -%}
      {{- part['text'] -}}
    {%- endfor -%}
  {%- endif -%}
  {{- '</s>' if message['role'] == 'assistant' else ' ' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- 'ASSISTANT:' -}}
{%- endif -%}
`.trimStart();

/**
 * Trains a tokenizer and writes what belongs to it into a folder, which is made if it is not there: tokenizer.json,
 * tokenizer_config.json, special_tokens_map.json, chat_template.jinja, generation_config.json.
 */
export function writeTokenizer(folder: string, texts: Iterable<readonly [text: string, count: number]>, options: TokenizerOptions = {}): void {
  const tokenizer = trainTokenizer(texts, options);
  const id = (token: string) => tokenizer.added_tokens.find(({ content }) => content === token)!.id;
  const names = { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>", pad_token: "<pad>" };
  const files = {
    "tokenizer.json": tokenizer,
    "tokenizer_config.json": {
      ...names,
      clean_up_tokenization_spaces: false,
      extra_special_tokens: ["<image>"],
      padding_side: "left",
      tokenizer_class: "PreTrainedTokenizerFast",
    },
    "special_tokens_map.json": { ...names, additional_special_tokens: ["<image>"] },
    "generation_config.json": {
      bos_token_id: id("<s>"),
      do_sample: false,
      eos_token_id: id("</s>"),
      max_new_tokens: 64,
      pad_token_id: id("<pad>"),
    },
  };
  mkdirSync(folder, { recursive: true });
  for (const [file, value] of Object.entries(files)) writeFileSync(join(folder, file), `${JSON.stringify(value, null, 1)}\n`);
  writeFileSync(join(folder, "chat_template.jinja"), chatTemplate);
}
