/** Merges against ones made by hand, and against the definition computed from scratch at every step. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { learnMerges, phrasesOf, unitsOf } from "./bpe.ts";

/** The definition: count all pairs anew, take the most frequent, the oldest tokens among equals. */
function slowMerges(units: ReadonlyMap<string, number>, alphabet: readonly string[], size: number): string[][] {
  const tokens = [...alphabet];
  const words = [...units].map(([text, count]) => ({ symbols: [...text], count }));
  const merges: string[][] = [];
  while (tokens.length < size) {
    const counts = new Map<string, number>();
    for (const { symbols, count } of words) {
      for (let i = 1; i < symbols.length; i++) {
        const pair = `${symbols[i - 1]} ${symbols[i]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + count);
      }
    }
    const age = (pair: string) => pair.split(" ").reduce((sum, token) => sum * 1000 + tokens.indexOf(token), 0);
    const [best] = [...counts].sort(([a, m], [b, n]) => n - m || age(a) - age(b))[0] ?? [];
    if (!best) break;
    const [left, right] = best.split(" ") as [string, string];
    merges.push([left, right]);
    if (!tokens.includes(left + right)) tokens.push(left + right);
    for (const word of words) {
      for (let i = 0; i < word.symbols.length - 1; i++) {
        if (word.symbols[i] === left && word.symbols[i + 1] === right) word.symbols.splice(i, 2, left + right);
      }
    }
  }
  return merges;
}

describe("unitsOf", () => {
  it("keeps a word with the space in front of it, and every other character alone", () => {
    expect(unitsOf("What's on it, a piñata?")).toEqual(["▁What", "'", "s", "▁on", "▁it", ",", "▁a", "▁piñata", "?"]);
    expect(unitsOf("10  🍎\n")).toEqual(["▁", "1", "0", "▁", "▁", "🍎", "\n"]);
    expect(unitsOf("")).toEqual(["▁"]);
  });

  it("loses nothing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 30 }), (text) => {
        expect(unitsOf(text).join("")).toBe(`▁${text.replaceAll(" ", "▁")}`);
      }),
      { numRuns: 200, seed: 1 },
    );
  });
});

describe("phrasesOf", () => {
  it("cuts at the speakers and at line ends", () => {
    expect(phrasesOf("\nWhat is it? ASSISTANT: red apple")).toEqual(["▁", "\n", "What▁is▁it?", "▁ASSISTANT:", "▁red▁apple"]);
    expect(phrasesOf("USER: Is it red? ASSISTANT: Yes")).toEqual(["▁USER:", "▁Is▁it▁red?", "▁ASSISTANT:", "▁Yes"]);
  });

  it("loses nothing", () => {
    const part = fc.oneof(fc.constantFrom("USER:", " ASSISTANT:", "\n", " "), fc.string({ unit: "grapheme", maxLength: 5 }));
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const text = parts.join("");
        expect(phrasesOf(text).join("")).toBe(`▁${text.replaceAll(" ", "▁")}`);
      }),
      { numRuns: 300, seed: 2 },
    );
  });
});

describe("learnMerges", () => {
  it("goes on from earlier merges, across words", () => {
    const words = learnMerges(new Map([["▁red", 9], ["▁ink", 4]]), [..."deiknr▁"], 12);
    expect(words.tokens.slice(7)).toEqual(["ed", "red", "▁red", "in", "▁in"]);
    const phrases = learnMerges(new Map([["▁red▁ink", 3], ["▁red", 2]]), [..."deiknr▁"], 14, words);
    expect(phrases.merges.slice(0, 5)).toEqual(words.merges);
    expect(phrases.tokens.slice(12)).toEqual(["▁red▁in", "▁red▁ink"]);
  });

  it("makes the most frequent pair one, then the next", () => {
    const units = new Map([["low", 5], ["lower", 2], ["newest", 6], ["widest", 3]]);
    const alphabet = [..."delorstinw"].sort();
    const { merges, tokens } = learnMerges(units, alphabet, alphabet.length + 4);
    // es and st occur 9 times each, lo and ow 7 times.
    expect(merges).toEqual([["e", "s"], ["es", "t"], ["l", "o"], ["lo", "w"]]);
    expect(tokens.slice(alphabet.length)).toEqual(["es", "est", "lo", "low"]);
  });

  it("knows when a token can be made in two ways", () => {
    const { merges, tokens } = learnMerges(new Map([["xab", 9], ["ab", 1], ["abc", 6], ["bcd", 8]]), [..."abcdx"], 99);
    expect(new Set(tokens).size).toBe(tokens.length);
    expect(merges).toEqual(slowMerges(new Map([["xab", 9], ["ab", 1], ["abc", 6], ["bcd", 8]]), [..."abcdx"], 99));
  });

  it("stops when nothing is left, and leaves out words with unknown letters", () => {
    expect(learnMerges(new Map([["ab", 1], ["bü", 100]]), ["a", "b"], 50)).toEqual({ tokens: ["a", "b", "ab"], merges: [["a", "b"]] });
    expect(learnMerges(new Map(), ["a"], 50)).toEqual({ tokens: ["a"], merges: [] });
  });

  it("equals the definition, in whatever order the words come", () => {
    const word = fc.string({ unit: fc.constantFrom("a", "b", "c", "d"), minLength: 1, maxLength: 8 });
    const corpus = fc.uniqueArray(fc.tuple(word, fc.integer({ min: 1, max: 5 })), { selector: ([text]) => text, maxLength: 20 });
    fc.assert(
      fc.property(corpus, fc.integer({ min: 4, max: 40 }), (list, size) => {
        const { merges } = learnMerges(new Map(list), [..."abcd"], size);
        expect(merges).toEqual(slowMerges(new Map(list), [..."abcd"], size));
        expect(learnMerges(new Map(list.toReversed()), [..."abcd"], size).merges).toEqual(merges);
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});
