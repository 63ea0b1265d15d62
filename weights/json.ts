import { WeightError } from "./error.ts";

/**
 * Parses the JSON text of `file`.
 *
 * @throws WeightError naming the file, line and column where the text stops being JSON. (Engines word their own
 * messages differently, and not all name a position.)
 */
export function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const at = scanJson(text).error ?? text.length;
    const before = text.slice(0, at).split("\n");
    const got = at < text.length ? JSON.stringify(String.fromCodePoint(text.codePointAt(at)!)) : "the end of the text";
    throw new WeightError(
      `${file} is not valid JSON: unexpected ${got} at line ${before.length}, column ${before.at(-1)!.length + 1}`,
      { file, expected: "JSON", got },
      { cause: error },
    );
  }
}

/** The first key that some object of the valid JSON `text` holds twice; `JSON.parse` silently keeps the last one. */
export function duplicateKey(text: string): string | undefined {
  return scanJson(text).duplicate;
}

type Expect = "value" | "valueOrEnd" | "key" | "keyOrEnd" | "colon" | "commaOrEnd" | "nothing";

/** Walks over JSON (RFC 8259) without recursion; `error` is the index of the first character that cannot be there. */
function scanJson(text: string): { error?: number; duplicate?: string } {
  const open: (Set<string> | "list")[] = [];
  let duplicate: string | undefined;
  let expect: Expect = "value";
  let at = 0;
  const afterValue = (): Expect => (open.length === 0 ? "nothing" : "commaOrEnd");

  while (true) {
    while (at < text.length && " \t\n\r".includes(text[at])) at++;
    if (at >= text.length) return { error: expect === "nothing" ? undefined : at, duplicate };
    const char = text[at];
    const wantsValue = expect === "value" || expect === "valueOrEnd";
    const inList = open.at(-1) === "list";

    if (wantsValue && (char === "{" || char === "[")) {
      open.push(char === "{" ? new Set() : "list");
      expect = char === "{" ? "keyOrEnd" : "valueOrEnd";
      at++;
    } else if (
      (char === "}" && !inList && (expect === "keyOrEnd" || expect === "commaOrEnd")) ||
      (char === "]" && inList && (expect === "valueOrEnd" || expect === "commaOrEnd"))
    ) {
      open.pop();
      expect = afterValue();
      at++;
    } else if (char === "," && expect === "commaOrEnd") {
      expect = inList ? "value" : "key";
      at++;
    } else if (char === ":" && expect === "colon") {
      expect = "value";
      at++;
    } else if (char === '"' && (wantsValue || expect === "key" || expect === "keyOrEnd")) {
      const { end, valid } = scanString(text, at);
      if (!valid) return { error: end, duplicate };
      const keys = open.at(-1);
      if (wantsValue) {
        expect = afterValue();
      } else if (keys instanceof Set) {
        const key = JSON.parse(text.slice(at, end)) as string;
        if (keys.has(key)) duplicate ??= key;
        keys.add(key);
        expect = "colon";
      }
      at = end;
    } else {
      const scalar = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/y;
      scalar.lastIndex = at;
      if (!wantsValue || !scalar.test(text)) return { error: at, duplicate };
      expect = afterValue();
      at = scalar.lastIndex;
    }
  }
}

/** `end` is the index behind the closing quote, or of the character that breaks the string. */
function scanString(text: string, start: number): { end: number; valid: boolean } {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '"') return { end: at + 1, valid: true };
    if (text[at] < " ") return { end: at, valid: false };
    if (text[at] !== "\\") continue;
    at++;
    if (text[at] === "u" && /^[0-9a-fA-F]{4}$/.test(text.slice(at + 1, at + 5))) at += 4;
    else if (at >= text.length || !'"\\/bfnrt'.includes(text[at])) return { end: at, valid: false };
  }
  return { end: text.length, valid: false };
}
