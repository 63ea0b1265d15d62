import { Tokenizer as PackageTokenizer } from "@huggingface/tokenizers";
import { createDecoder, hasByteFallback, isByteToken } from "./decoder.ts";
import type { Decoder } from "./decoder.ts";
import { TokenizerError, reason } from "./error.ts";
import { openPath, readJson } from "./folder.ts";
import type { TokenizerFolder } from "./folder.ts";
import { isObject, kind, parseJson } from "./json.ts";
import type { JsonObject } from "./json.ts";

/** UTF-16 halves without their partner: they have no UTF-8, so no token can spell them. */
const loneSurrogate = /\p{Surrogate}/gu;

/**
 * Text to token ids and back, as a `tokenizer.json` describes it.
 *
 * The file is followed literally, as the Rust library `tokenizers` does: what transformers rebuilds from
 * `tokenizer_class`, and truncation or padding stored in the file, play no part. Encoding is done by
 * `@huggingface/tokenizers`, decoding by `decoder.ts`.
 */
export class Tokenizer {
  /** Highest id + 1. Embedding tables may have more rows. */
  readonly size: number;
  /** Ids that `decode` leaves out with `skipSpecialTokens`. */
  readonly specialIds: ReadonlySet<number>;
  readonly bosToken: string | undefined;
  readonly eosToken: string | undefined;
  readonly padToken: string | undefined;
  readonly unkToken: string | undefined;

  readonly #encoder: PackageTokenizer;
  readonly #decoder: Decoder;
  readonly #hasByteFallback: boolean;

  private constructor(json: JsonObject, names: JsonObject[]) {
    const added = addedTokens(json);
    this.size = added.reduce((highest, token) => Math.max(highest, token.id), highestId(json)) + 1;
    this.specialIds = new Set(added.filter((token) => token.special).map((token) => token.id));
    this.bosToken = tokenName(names, "bos_token");
    this.eosToken = tokenName(names, "eos_token");
    this.padToken = tokenName(names, "pad_token");
    this.unkToken = tokenName(names, "unk_token");
    this.#decoder = createDecoder(json.decoder);
    this.#hasByteFallback = hasByteFallback(json.decoder);
    this.#encoder = createEncoder(json, added);
  }

  /**
   * Makes a tokenizer of parsed files.
   *
   * @param tokenizerJson what `tokenizer.json` holds
   * @param tokenizerConfig what `tokenizer_config.json` holds; only the names of the special tokens are read
   * @param extra `special_tokens_map.json`, for names that the config does not have
   * @throws TokenizerError if the file is not a tokenizer, or one of a kind that the LLaVA family does not use
   */
  static fromJSON(
    tokenizerJson: unknown,
    tokenizerConfig?: unknown,
    extra: { specialTokensMap?: unknown } = {},
  ): Tokenizer {
    if (!isObject(tokenizerJson)) {
      throw new TokenizerError(`tokenizer.json: expected an object, got ${kind(tokenizerJson)}`);
    }
    return new Tokenizer(tokenizerJson, [tokenizerConfig, extra.specialTokensMap].filter(isObject));
  }

  /**
   * Reads `tokenizer.json` and, beside it, `tokenizer_config.json` and `special_tokens_map.json` where they exist.
   *
   * @param source in Node the path of a folder or of the file itself (under another name it is read alone); anywhere
   *   an object that knows and reads files by name
   * @throws TokenizerError naming the file that is missing or cannot be used
   */
  static async load(source: string | TokenizerFolder): Promise<Tokenizer> {
    const { folder, file } =
      typeof source === "string" ? await openPath(source) : { folder: source, file: "tokenizer.json" };
    if (!(await folder.has(file))) throw await missing(folder, file);
    const json = parseJson(await folder.text(file), file);
    if (file !== "tokenizer.json") return Tokenizer.fromJSON(json);
    const [config, specialTokensMap] = await Promise.all([
      readJson(folder, "tokenizer_config.json"),
      readJson(folder, "special_tokens_map.json"),
    ]);
    return Tokenizer.fromJSON(json, config, { specialTokensMap });
  }

  /**
   * Token ids of a text. Special tokens written in the text become their ids; a lone surrogate is read as U+FFFD.
   *
   * @param options `addSpecialTokens`: also what the file's post-processor adds, BOS for LLaMA (default true)
   */
  encode(text: string, options: { addSpecialTokens?: boolean } = {}): number[] {
    const { addSpecialTokens = true } = options;
    if (typeof text !== "string") throw new TokenizerError(`encode: expected text, got ${kind(text)}`);
    let ids: (number | undefined)[];
    try {
      ids = this.#encoder.encode(text.replace(loneSurrogate, "\uFFFD"), { add_special_tokens: addSpecialTokens }).ids;
    } catch (cause) {
      throw new TokenizerError(`encode: this tokenizer.json cannot encode the text (${reason(cause)})`, { cause });
    }
    // A character outside a vocabulary without an unknown token has no id and falls away, as in Rust.
    return ids.filter((id) => id !== undefined);
  }

  /**
   * Text of token ids; `""` for none. Spaces are never tidied up. Ids without a token (the -200 that stands for an
   * image, rows beyond the vocabulary) give nothing.
   *
   * @param options `skipSpecialTokens`: leave out `specialIds` (default true)
   */
  decode(ids: ArrayLike<number>, options: { skipSpecialTokens?: boolean } = {}): string {
    const { skipSpecialTokens = true } = options;
    const tokens: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const token = this.tokenOf(ids[i]);
      if (token !== undefined && !(skipSpecialTokens && this.specialIds.has(ids[i]))) tokens.push(token);
    }
    return this.#decoder(tokens).join("");
  }

  /** Id of a token as it is written in the vocabulary (`"▁the"`, `"<image>"`), if it has one. */
  idOf(token: string): number | undefined {
    return this.#encoder.token_to_id(token);
  }

  /** Token of an id as it is written in the vocabulary, if it has one. */
  tokenOf(id: number): string | undefined {
    return this.#encoder.id_to_token(id);
  }

  /** True if the token spells one byte of a character (`<0xE2>`), so that its text depends on its neighbours. */
  spellsByte(id: number): boolean {
    const token = this.tokenOf(id);
    return this.#hasByteFallback && token !== undefined && isByteToken(token);
  }
}

interface AddedToken {
  id: number;
  content: string;
  special: boolean;
}

/** The package builds arrays indexed by id, so an id must be one that an array can have. */
function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31;
}

function addedTokens(json: JsonObject): AddedToken[] {
  const list = json.added_tokens ?? [];
  if (!Array.isArray(list)) throw new TokenizerError(`tokenizer.json: added_tokens must be a list, got ${kind(list)}`);
  for (const token of list) {
    if (!isObject(token) || !isId(token.id) || typeof token.content !== "string") {
      throw new TokenizerError(
        `tokenizer.json: an added token needs an id and a content, got ${JSON.stringify(token)?.slice(0, 80)}`,
      );
    }
  }
  // Rust ignores added tokens without text.
  return (list as AddedToken[]).filter((token) => token.content !== "");
}

function highestId(json: JsonObject): number {
  const vocabulary = isObject(json.model) ? json.model.vocab : undefined;
  if (Array.isArray(vocabulary)) return vocabulary.length - 1;
  if (!isObject(vocabulary)) {
    throw new TokenizerError(`tokenizer.json: expected a model with a vocab, got ${kind(vocabulary)}`);
  }
  let highest = -1;
  for (const [token, id] of Object.entries(vocabulary)) {
    if (!isId(id)) {
      throw new TokenizerError(`tokenizer.json: expected an id for token ${JSON.stringify(token)}, got ${String(id)}`);
    }
    if (id > highest) highest = id;
  }
  return highest;
}

function createEncoder(json: JsonObject, added: AddedToken[]): PackageTokenizer {
  const { normalizer = null, pre_tokenizer = null, post_processor = null } = json;
  const parts = { model: json.model, normalizer, pre_tokenizer, post_processor, decoder: null, added_tokens: added };
  try {
    return new PackageTokenizer(parts, {});
  } catch (cause) {
    throw new TokenizerError(`tokenizer.json: expected a tokenizer that can be built, got: ${reason(cause)}`, {
      file: "tokenizer.json",
      cause,
    });
  }
}

/** A special token's text: a plain string, or an object with `content`; the first file that names it wins. */
function tokenName(files: JsonObject[], key: string): string | undefined {
  for (const file of files) {
    const value = file[key];
    if (typeof value === "string") return value;
    if (isObject(value) && typeof value.content === "string") return value.content;
  }
  return undefined;
}

/** The error for a folder without tokenizer.json: it tells what to do with the older files that are there instead. */
async function missing(folder: TokenizerFolder, file: string): Promise<TokenizerError> {
  for (const older of ["tokenizer.model", "vocab.json"]) {
    if (await folder.has(older)) {
      return new TokenizerError(
        `Tokenizer.load: expected ${file}, got only ${older}, which this library does not read; ` +
          "open the folder with transformers' AutoTokenizer and save it again, that writes tokenizer.json",
        { file },
      );
    }
  }
  return new TokenizerError(`Tokenizer.load: expected ${file}, got no such file; add it to the folder`, { file });
}
