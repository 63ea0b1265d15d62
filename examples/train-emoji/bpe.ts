/**
 * Training of a byte-pair vocabulary (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units",
 * section 3.2) on words as SentencePiece writes them, with "▁" for the space in front.
 */

/** What stands for a space, and in front of every text. */
export const SPACE = "▁";

/** "▁" and letters, letters, or any other character alone: merges stay inside. So "apple" and "apple," share a token. */
const unit = new RegExp(`${SPACE}?\\p{L}+|[^]`, "gu");

/** The units of a text, in order; put together they are "▁" and the text with "▁" for every space. */
export function unitsOf(text: string): string[] {
  return (SPACE + text.replaceAll(" ", SPACE)).match(unit)!;
}

/** Who speaks in LLaVA's dialogues, a line end, or all up to the next of these: merges across words stay inside. */
const phrase = new RegExp(`${SPACE}?(?:USER|ASSISTANT):|\\n|[^\\n]+?(?=${SPACE}?(?:USER|ASSISTANT):|\\n|$)`, "gu");

/** The phrases of a text, in order; put together they are what the units are. */
export function phrasesOf(text: string): string[] {
  return (SPACE + text.replaceAll(" ", SPACE)).match(phrase)!;
}

export interface Merges {
  /** The alphabet, then every token that a merge made, in the order of its making. */
  readonly tokens: readonly string[];
  /** Pairs of tokens that become one, the first to be applied in front. */
  readonly merges: readonly (readonly [left: string, right: string])[];
}

/** Where two tokens stand side by side. */
interface Pair {
  readonly left: number;
  readonly right: number;
  /** How often, all occurrences of the words counted. */
  count: number;
  /** The words, by number; some may hold the pair no longer. */
  readonly words: Set<number>;
}

/** Pairs of token numbers as map keys. */
const largestVocabulary = 2 ** 26;
const keyOf = (left: number, right: number): number => left * largestVocabulary + right;

/**
 * Learns merges: as long as there is room, the two neighbouring tokens that occur most often become one. Of equally
 * frequent pairs the one whose left, then right token is older wins, as in the Rust library `tokenizers`. It is a plain
 * search among all pairs: there are thousands of them and about a thousand merges.
 *
 * @param units how often each unit occurs; their order does not matter
 * @param alphabet the single characters, distinct; units with another character are left out
 * @param size the greatest number of tokens, the alphabet included; there are fewer if nothing is left to merge
 * @param earlier merges to go on from, of the same alphabet: with phrases as units after words, this is SuperBPE (Liu et al.
 *   2025, "SuperBPE: Space Travel for Language Models")
 */
export function learnMerges(units: ReadonlyMap<string, number>, alphabet: readonly string[], size: number, earlier?: Merges): Merges {
  const tokens = [...(earlier?.tokens ?? alphabet)];
  const numbers = new Map(tokens.map((token, i) => [token, i]));
  const merges = (earlier?.merges ?? []).map(([left, right]): [string, string] => [left, right]);
  const known = merges.map(([left, right]) => ({ left: numbers.get(left)!, right: numbers.get(right)!, merged: numbers.get(left + right)! }));
  const ranks = new Map(known.map(({ left, right }, rank) => [keyOf(left, right), rank]));
  const words: { symbols: number[]; count: number }[] = [];
  const pairs = new Map<number, Pair>();

  /** Adds a word's pairs to the counts; times -1 takes them out. */
  const count = (word: number, times: 1 | -1): void => {
    const { symbols, count: occurrences } = words[word]!;
    for (let i = 1; i < symbols.length; i++) {
      const [left, right] = [symbols[i - 1]!, symbols[i]!];
      const key = keyOf(left, right);
      const pair = pairs.get(key) ?? { left, right, count: 0, words: new Set() };
      pair.count += times * occurrences;
      if (times === 1) pair.words.add(word);
      if (pair.count === 0) pairs.delete(key);
      else pairs.set(key, pair);
    }
  };

  for (const [text, occurrences] of units) {
    const characters = Array.from(text, (character) => numbers.get(character) ?? -1);
    if (occurrences <= 0 || characters.includes(-1)) continue;
    words.push({ symbols: applied(known, ranks, characters), count: occurrences });
    count(words.length - 1, 1);
  }
  while (tokens.length < size) {
    const best = mostFrequent(pairs.values());
    if (!best) break;
    const [left, right] = [tokens[best.left]!, tokens[best.right]!];
    merges.push([left, right]);
    // Two merges can spell the same: "a" + "bc" and "ab" + "c".
    const merged = numbers.get(left + right) ?? tokens.push(left + right) - 1;
    numbers.set(left + right, merged);
    for (const word of best.words) {
      count(word, -1);
      words[word]!.symbols = join(words[word]!.symbols, best, merged);
      count(word, 1);
    }
  }
  return { tokens, merges };
}

function mostFrequent(pairs: Iterable<Pair>): Pair | undefined {
  let best: Pair | undefined;
  for (const pair of pairs) {
    const ahead = best && (pair.count - best.count || best.left - pair.left || best.right - pair.right);
    if (ahead === undefined || ahead > 0) best = pair;
  }
  return best;
}

/** A word after merges, each where it applies, in their order. */
function applied(
  merges: readonly { readonly left: number; readonly right: number; readonly merged: number }[],
  ranks: ReadonlyMap<number, number>,
  symbols: readonly number[],
): number[] {
  let result = [...symbols];
  for (;;) {
    let best = merges.length;
    for (let i = 1; i < result.length; i++) best = Math.min(best, ranks.get(keyOf(result[i - 1]!, result[i]!)) ?? best);
    if (best === merges.length) return result;
    result = join(result, merges[best]!, merges[best]!.merged);
  }
}

/** A word with every occurrence of a pair replaced, from the left. */
function join(symbols: readonly number[], { left, right }: Pick<Pair, "left" | "right">, merged: number): number[] {
  const joined: number[] = [];
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i] === left && symbols[i + 1] === right) {
      joined.push(merged);
      i++;
    } else joined.push(symbols[i]!);
  }
  return joined;
}
