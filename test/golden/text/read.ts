import { readFileSync } from "node:fs";
import { Tokenizer } from "../../../tokenizer/tokenizer.ts";

/** A golden file of this folder, parsed. */
export function readGolden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8")) as T;
}

export const tokenizerNames = ["llama", "llama-metaspace", "llama3", "qwen", "v1", "video"] as const;
export type TokenizerName = (typeof tokenizerNames)[number];

/** One of the golden tokenizers. */
export function goldenTokenizer(name: TokenizerName): Tokenizer {
  return Tokenizer.fromJSON(
    readGolden(`tokenizers/${name}/tokenizer.json`),
    readGolden(`tokenizers/${name}/tokenizer_config.json`),
    { specialTokensMap: readGolden(`tokenizers/${name}/special_tokens_map.json`) },
  );
}

/** `tokenization-<name>.json`; row i belongs to string i of strings.json. */
export interface Tokenization {
  vocab_size: number;
  rows: { ids: number[]; decoded: string; decoded_skip_special: string; pieces?: (string | null)[] | null }[];
  random_ids: { ids: number[]; decoded: string; prefixes_skip_special: string[] }[];
}
