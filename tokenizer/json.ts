import { TokenizerError } from "./error.ts";

/** What `JSON.parse` gives for an object. */
export type JsonObject = Record<string, unknown>;

/** True for an object of JSON: not null, not a list. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** For messages: what kind of JSON value this is. */
export function kind(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : typeof value;
}

/** Parses a file's text. @throws TokenizerError naming the file */
export function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TokenizerError(`${file}: expected JSON, got text that does not parse (${(cause as Error).message})`, {
      file,
      cause,
    });
  }
}
