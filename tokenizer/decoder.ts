import { TokenizerError, reason } from "./error.ts";
import { isObject, kind } from "./json.ts";
import type { JsonObject } from "./json.ts";

/** One step of decoding: pieces of text in, pieces of text out. Joined, the last step's pieces are the text. */
export type Decoder = (pieces: string[]) => string[];

const byteToken = /^<0x([0-9A-Fa-f]{2})>$/;

/** True for `<0x00>` to `<0xFF>`: the tokens that spell one byte where a decoder has byte fallback. */
export function isByteToken(token: string): boolean {
  return byteToken.test(token);
}

/** True if the `decoder` entry of a tokenizer.json turns byte tokens into text. */
export function hasByteFallback(spec: unknown): boolean {
  if (!isObject(spec)) return false;
  if (spec.type === "ByteFallback") return true;
  return Array.isArray(spec.decoders) && spec.decoders.some(hasByteFallback);
}

/**
 * Builds the decoder that the `decoder` entry of a tokenizer.json describes.
 *
 * Follows the Rust library `tokenizers` 0.23 literally, also where bytes are not UTF-8: an ill-formed run of byte
 * tokens becomes one U+FFFD per token. Without an entry, pieces are joined with spaces.
 * @throws TokenizerError for a decoder that no model of the LLaVA family uses
 */
export function createDecoder(spec: unknown): Decoder {
  if (spec === null || spec === undefined) return (pieces) => [pieces.join(" ")];
  if (!isObject(spec)) throw new TokenizerError(`decoder: expected an object, got ${kind(spec)}`);
  switch (spec.type) {
    case "Sequence":
      return sequence(spec);
    case "Replace":
      return replace(spec);
    case "ByteFallback":
      return byteFallback;
    case "Fuse":
      return (pieces) => [pieces.join("")];
    case "Strip":
      return strip(spec);
    case "Metaspace":
      return metaspace(spec);
    case "ByteLevel":
      return (pieces) => [utf8.decode(Uint8Array.from(pieces.flatMap(byteLevelBytes)))];
    default:
      throw new TokenizerError(
        "decoder: expected Sequence, Replace, ByteFallback, Fuse, Strip, Metaspace or ByteLevel, " +
          `got type ${JSON.stringify(spec.type)}`,
      );
  }
}

// A byte order mark in the middle of a text is a character like any other.
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const strictUtf8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const encoder = new TextEncoder();

function sequence(spec: JsonObject): Decoder {
  if (!Array.isArray(spec.decoders)) throw new TokenizerError("decoder: Sequence expects a list of decoders");
  const steps = spec.decoders.map(createDecoder);
  return (pieces) => steps.reduce((current, step) => step(current), pieces);
}

function replace(spec: JsonObject): Decoder {
  const { pattern, content } = spec;
  if (!isObject(pattern) || typeof content !== "string") {
    throw new TokenizerError("decoder: Replace expects a pattern and a content text");
  }
  if (typeof pattern.String === "string") {
    const text = pattern.String;
    return (pieces) => pieces.map((piece) => piece.replaceAll(text, () => content));
  }
  if (typeof pattern.Regex !== "string") throw new TokenizerError("decoder: Replace expects a String or Regex pattern");
  let regex: RegExp;
  try {
    regex = new RegExp(pattern.Regex, "gu");
  } catch (cause) {
    throw new TokenizerError(`decoder: Replace expects a valid pattern (${reason(cause)})`, { cause });
  }
  return (pieces) => pieces.map((piece) => piece.replace(regex, () => content));
}

function byteFallback(pieces: string[]): string[] {
  const out: string[] = [];
  let run: number[] = [];
  const endRun = () => {
    if (run.length === 0) return;
    try {
      out.push(strictUtf8.decode(Uint8Array.from(run)));
    } catch {
      out.push("\uFFFD".repeat(run.length));
    }
    run = [];
  };
  for (const piece of pieces) {
    const byte = byteToken.exec(piece);
    if (byte) {
      run.push(parseInt(byte[1], 16));
    } else {
      endRun();
      out.push(piece);
    }
  }
  endRun();
  return out;
}

function strip(spec: JsonObject): Decoder {
  const { content, start = 0, stop = 0 } = spec;
  if (typeof content !== "string" || typeof start !== "number" || typeof stop !== "number") {
    throw new TokenizerError("decoder: Strip expects a content character and the counts start and stop");
  }
  return (pieces) =>
    pieces.map((piece) => {
      const characters = [...piece];
      let from = 0;
      while (from < Math.min(start, characters.length) && characters[from] === content) from++;
      let to = characters.length;
      while (to > from && characters.length - to < stop && characters[to - 1] === content) to--;
      return characters.slice(from, to).join("");
    });
}

function metaspace(spec: JsonObject): Decoder {
  const { replacement = "\u2581", prepend_scheme: scheme, add_prefix_space: prefix } = spec;
  if (typeof replacement !== "string" || replacement === "") {
    throw new TokenizerError("decoder: Metaspace expects a replacement character");
  }
  // Older files say add_prefix_space where newer ones say prepend_scheme.
  const prepends = scheme === undefined ? prefix !== false : scheme !== "never";
  return (pieces) => pieces.map((piece, i) => piece.replaceAll(replacement, i === 0 && prepends ? "" : " "));
}

/**
 * GPT-2's alphabet of bytes: printable Latin-1 characters stand for themselves, the other bytes, in order, for the
 * characters from U+0100 on.
 */
const byteOfCharacter = (() => {
  const table = new Map<string, number>();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    table.set(String.fromCodePoint(printable ? byte : next++), byte);
  }
  return table;
})();

/** A token outside the alphabet (an added one with a space, say) stands for its own UTF-8 bytes. */
function byteLevelBytes(piece: string): number[] {
  const bytes: number[] = [];
  for (const character of piece) {
    const byte = byteOfCharacter.get(character);
    if (byte === undefined) return [...encoder.encode(piece)];
    bytes.push(byte);
  }
  return bytes;
}
