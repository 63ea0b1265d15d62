import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { goldenTokenizer, readGolden, tokenizerNames } from "../test/golden/text/read.ts";
import type { Tokenization } from "../test/golden/text/read.ts";
import { TokenStream } from "./stream.ts";
import type { TokenStreamOptions } from "./stream.ts";
import type { Tokenizer } from "./tokenizer.ts";

function streamed(tokenizer: Tokenizer, ids: number[], options: TokenStreamOptions = {}): string[] {
  const stream = new TokenStream(tokenizer, options);
  return [...ids.map((id) => stream.push(id)), stream.end()];
}

/** Whole characters only: no half of a surrogate pair. */
const whole = (piece: string) => !/\p{Surrogate}/u.test(piece);

describe.each(tokenizerNames)("a stream of %s", (name) => {
  const tokenizer = goldenTokenizer(name);
  const { rows, random_ids } = readGolden<Tokenization>(`tokenization-${name}.json`);

  it("joins to the decoded text of every golden", () => {
    for (const { ids, decoded, decoded_skip_special } of rows) {
      expect(streamed(tokenizer, ids).join("")).toBe(decoded_skip_special);
      expect(streamed(tokenizer, ids, { skipSpecialTokens: false }).join("")).toBe(decoded);
    }
    for (const { ids, decoded, prefixes_skip_special } of random_ids) {
      expect(streamed(tokenizer, ids).join("")).toBe(prefixes_skip_special.at(-1));
      expect(streamed(tokenizer, ids, { skipSpecialTokens: false }).join("")).toBe(decoded);
    }
  });

  it("eager, gives the very pieces of the Rust library", () => {
    const known = rows.filter((row) => row.pieces);
    expect(known.length).toBeGreaterThan(80);
    for (const { ids, pieces } of known) {
      const stream = new TokenStream(tokenizer, { eager: true });
      expect(ids.map((id) => stream.push(id) || null)).toEqual(pieces);
    }
  });

  it.each([true, false])("joins to decode for any ids (skipSpecialTokens %s)", (skipSpecialTokens) => {
    const id = fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: 0, max: tokenizer.size - 1 }) },
      fc.integer({ min: -300, max: tokenizer.size + 9 }),
    );
    fc.assert(
      fc.property(fc.array(id, { maxLength: 40 }), (ids) => {
        const pieces = streamed(tokenizer, ids, { skipSpecialTokens });
        expect(pieces.join("")).toBe(tokenizer.decode(ids, { skipSpecialTokens }));
        expect(pieces.every(whole)).toBe(true);
      }),
      { numRuns: 400, seed: 4 },
    );
  });

  it("eager, joins to decode for the ids of any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 30 }), (text) => {
        const ids = tokenizer.encode(text);
        const pieces = streamed(tokenizer, ids, { eager: true });
        expect(pieces.join("")).toBe(tokenizer.decode(ids));
        expect(pieces.every(whole)).toBe(true);
      }),
      { numRuns: 200, seed: 5 },
    );
  });
});

describe("byte tokens of LLaMA", () => {
  const tokenizer = goldenTokenizer("llama");
  const bytes = (...values: number[]) => values.map((value) => value + 3); // <0x00> has id 3
  const a = tokenizer.idOf("a") ?? 0;

  it("wait for the end of their run, unless eager", () => {
    const ids = [...bytes(0xf0, 0x9f, 0x99, 0x82, 0x0a), a];
    expect(streamed(tokenizer, ids)).toEqual(["", "", "", "", "", "🙂\na", ""]);
    expect(streamed(tokenizer, ids, { eager: true })).toEqual(["", "", "", "🙂", "\n", "a", ""]);
  });

  it("become U+FFFD together in an ill-formed run; an eager stream keeps what it gave", () => {
    const ids = [...bytes(0x60, 0x15, 0x81), a];
    expect(tokenizer.decode(ids)).toBe("\uFFFD\uFFFD\uFFFDa");
    expect(streamed(tokenizer, ids)).toEqual(["", "", "", "\uFFFD\uFFFD\uFFFDa", ""]);
    expect(streamed(tokenizer, ids, { eager: true })).toEqual(["`", "\x15", "", "\uFFFDa", ""]);
  });

  it("are given at the end, whole or not, and the stream begins anew", () => {
    const stream = new TokenStream(tokenizer);
    for (const id of bytes(0xf0, 0x9f)) expect(stream.push(id)).toBe("");
    expect(stream.end()).toBe("\uFFFD\uFFFD");
    expect(stream.end()).toBe("");
    expect(stream.push(a)).toBe("a");
  });
});

it("skips special tokens inside a character", () => {
  const tokenizer = goldenTokenizer("qwen");
  const [first, ...rest] = tokenizer.encode("🧿");
  expect(rest.length).toBeGreaterThan(0);
  expect(streamed(tokenizer, [first, 432, ...rest]).join("")).toBe("🧿");
});
