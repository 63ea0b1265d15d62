import type { Tokenizer } from "./tokenizer.ts";

/** How a stream treats tokens. */
export interface TokenStreamOptions {
  /** Leave out special tokens (default true). */
  skipSpecialTokens?: boolean;
  /**
   * Give characters spelled in byte tokens (`<0xE2>`...) as soon as they are whole, one step earlier, as the
   * `DecodeStream` of the Rust library does. Should later bytes make their run ill-formed, `decode` would replace them
   * by U+FFFD, and what is given cannot be taken back. Default false: then the pieces always join to `decode` of all.
   */
  eager?: boolean;
}

/**
 * Text of a growing list of ids, in pieces that never split a character.
 *
 * Two offsets into the ids: text before `read` was given, and `start` is where the given piece before that began. A new
 * piece is what decode(start..) has beyond decode(start..read); the overlap keeps the space that a decoder strips from
 * the very first token. A text that ends in U+FFFD may still become a character and is held back, and so is a run of
 * byte tokens, whose text is not certain before it ends.
 */
export class TokenStream {
  readonly #tokenizer: Tokenizer;
  readonly #skipSpecialTokens: boolean;
  readonly #eager: boolean;
  /** Ids from `start` on, without those that give no text. */
  #ids: number[] = [];
  /** How many of them were given. */
  #read = 0;
  /** Their text. */
  #given = "";

  constructor(tokenizer: Tokenizer, { skipSpecialTokens = true, eager = false }: TokenStreamOptions = {}) {
    this.#tokenizer = tokenizer;
    this.#skipSpecialTokens = skipSpecialTokens;
    this.#eager = eager;
  }

  /** Takes the next id; gives the text that is certain now, often one token's, perhaps `""`. */
  push(id: number): string {
    const tokenizer = this.#tokenizer;
    if (tokenizer.tokenOf(id) === undefined || (this.#skipSpecialTokens && tokenizer.specialIds.has(id))) return "";
    this.#ids.push(id);
    if (!this.#eager && tokenizer.spellsByte(id)) return "";
    const piece = this.#piece();
    if (piece === "" || piece.endsWith("\uFFFD")) return "";
    this.#ids = this.#ids.slice(this.#read);
    this.#read = this.#ids.length;
    this.#given = this.#decode(this.#ids);
    return piece;
  }

  /** Gives what was held back, and begins anew. */
  end(): string {
    const piece = this.#piece();
    this.#ids = [];
    this.#read = 0;
    this.#given = "";
    return piece;
  }

  #piece(): string {
    const text = this.#decode(this.#ids);
    if (text.startsWith(this.#given)) return text.slice(this.#given.length);
    // Only an eager stream gets here: the bytes of a given character turned out to belong to an ill-formed run.
    return this.#decode(this.#ids.slice(this.#read));
  }

  #decode(ids: number[]): string {
    return this.#tokenizer.decode(ids, { skipSpecialTokens: this.#skipSpecialTokens });
  }
}
