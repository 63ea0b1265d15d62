import { shown } from "../../../errors/index.ts";
import type { PictureSource } from "../../input/decode.ts";
import { SampleError } from "./error.ts";
import { countWords } from "./whitespace.ts";

/** One turn of a conversation; `<image>` in its text marks the place of a picture. */
export interface SampleTurn {
  readonly from: "human" | "gpt";
  readonly value: string;
}

/**
 * A sample as LLaVA's JSON files hold it. Turns may also be spelled `{ role: "user" | "assistant", content }`, as in
 * LLaVA-NeXT. In a file a picture is a path or URL; in memory it may be anything that can be decoded.
 */
export interface RawSample {
  readonly id?: string | number;
  /** Absent: text only. */
  readonly image?: PictureSource | readonly PictureSource[];
  readonly conversations: readonly (SampleTurn | { readonly role: string; readonly content: string })[];
}

/** A checked sample. */
export interface Sample {
  readonly id: string;
  /** In the order of their places. */
  readonly images: readonly PictureSource[];
  /** At least one turn; from the first human one on, roles alternate. */
  readonly conversations: readonly SampleTurn[];
}

const roles: ReadonlyMap<unknown, SampleTurn["from"]> = new Map([
  ["human", "human"],
  ["user", "human"],
  ["gpt", "gpt"],
  ["assistant", "gpt"],
]);

/**
 * Checks one sample of LLaVA's JSON.
 *
 * @param place names a sample that has no id
 * @throws SampleError naming the sample and the field
 */
export function parseSample(value: unknown, place = "without id"): Sample {
  if (!isObject(value)) throw new SampleError(place, "JSON", `expected an object, got ${shown(value)}`);
  const { id: given } = value;
  const known = given !== undefined && given !== null;
  if (known && typeof given !== "string" && typeof given !== "number") {
    throw new SampleError(place, "id", `expected text or a number, got ${shown(given)}`);
  }
  const id = known ? String(given) : place;
  const conversations = parseConversations(value.conversations, id);
  return { id, images: parseImages(value.image, id), conversations };
}

/**
 * Checks the turns of one sample: known roles, texts, and human and assistant in turn once a first turn that is not the
 * human's is dropped.
 *
 * @throws SampleError naming the sample and the turn
 */
export function parseConversations(value: unknown, id: string): SampleTurn[] {
  const field = "conversations";
  if (!Array.isArray(value)) throw new SampleError(id, field, `expected a list of turns, got ${shown(value)}`);
  if (value.length === 0) throw new SampleError(id, field, "expected at least one turn, got an empty list");
  const turns = value.map((turn: unknown, i) => parseTurn(turn, id, `${field}[${i}]`));
  const kept = humanFirst(turns);
  if (kept.length === 0) {
    throw new SampleError(id, field, "expected a turn of the human, got only one of gpt, which is dropped");
  }
  const wrong = kept.findIndex(({ from }, i) => from !== (i % 2 === 0 ? "human" : "gpt"));
  if (wrong >= 0) {
    const at = wrong + turns.length - kept.length;
    const problem = `expected human and gpt in turn, got two turns of ${kept[wrong].from}`;
    throw new SampleError(id, `${field}[${at}]`, problem);
  }
  return turns;
}

/** The turns without a first one that is not the human's: LLaVA drops it. */
export function humanFirst(turns: readonly SampleTurn[]): readonly SampleTurn[] {
  return turns[0].from === "human" ? turns : turns.slice(1);
}

/**
 * The length that samples are grouped by: words of all turns as they lie in the file (a free-standing `<image>`
 * counts), at least 1; negative for a sample without pictures. LLaVA's `modality_lengths`.
 */
export function modalityLength({ images, conversations }: Sample): number {
  const words = Math.max(1, conversations.reduce((sum, { value }) => sum + countWords(value), 0));
  return images.length > 0 ? words : -words;
}

function parseTurn(turn: unknown, id: string, field: string): SampleTurn {
  if (!isObject(turn)) throw new SampleError(id, field, `expected { from, value }, got ${shown(turn)}`);
  const renamed = turn.from === undefined && turn.role !== undefined;
  const [roleName, textName] = renamed ? ["role", "content"] : ["from", "value"];
  const from = roles.get(turn[roleName]);
  if (!from) {
    throw new SampleError(id, `${field}.${roleName}`, `expected "human" or "gpt", got ${shown(turn[roleName])}`);
  }
  const value = turn[textName];
  if (typeof value !== "string") throw new SampleError(id, `${field}.${textName}`, `expected text, got ${shown(value)}`);
  return { from, value };
}

function parseImages(value: unknown, id: string): PictureSource[] {
  if (value === undefined || value === null) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((image, i) => {
    if (isPicture(image)) return image;
    const field = Array.isArray(value) ? `image[${i}]` : "image";
    throw new SampleError(id, field, `expected the path or URL of a picture, got ${shown(image)}`);
  });
}

function isPicture(value: unknown): value is PictureSource {
  if (typeof value === "string") return value !== "";
  if ([URL, Blob, Uint8Array, ArrayBuffer].some((kind) => value instanceof kind)) return true;
  return isObject(value) && ArrayBuffer.isView(value.data);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
