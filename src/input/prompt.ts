import { LlavaError } from "../../errors/index.ts";

/** A prompt and its pictures that do not fit together. The two numbers are there if it is about numbers. */
export class PromptError extends LlavaError {
  override name = "PromptError";
  readonly placeholders?: number;
  readonly pictures?: number;

  constructor(message: string, counts: { placeholders?: number; pictures?: number } = {}) {
    super(message);
    this.placeholders = counts.placeholders;
    this.pictures = counts.pictures;
  }
}

/** What is needed of a tokenizer. */
export interface Encoder {
  encode(text: string, options: { addSpecialTokens: boolean }): number[];
}

/** One kind of placeholder and how many tokens each occurrence stands for, in order. */
export interface Placeholders {
  /** "<image>" or "<video>". */
  readonly token: string;
  readonly counts: readonly number[];
}

/** The error of a prompt whose placeholders and pictures differ in number. */
export function countMismatch(token: string, placeholders: number, pictures: number): PromptError {
  const what = token.replace(/[<>]/g, "") || "picture";
  const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? "" : "s"}`;
  const more = placeholders > pictures;
  const advice = more ? `give more ${what}s or remove placeholders` : `add a ${token} for each ${what}`;
  const got = `${plural(placeholders, "placeholder")} and ${plural(pictures, what)}`;
  return new PromptError(`prompt: every ${what} needs one ${token}, got ${got}; ${advice}`, { placeholders, pictures });
}

/** The number of times `token` occurs in `text`. */
export const countPlaceholders = (text: string, token: string): number => text.split(token).length - 1;

/** `text` with the i-th placeholder repeated counts[i] times. Throws `PromptError` if their numbers differ. */
export function expandPlaceholders(text: string, { token, counts }: Placeholders): string {
  const pieces = text.split(token);
  if (pieces.length - 1 !== counts.length) throw countMismatch(token, pieces.length - 1, counts.length);
  return pieces.map((piece, i) => (i < counts.length ? piece + token.repeat(counts[i]) : piece)).join("");
}

/**
 * Token ids of a rendered prompt, as Hugging Face's processors make them: every placeholder is repeated in the text as
 * often as its picture has feature rows, then the whole text is tokenised. BOS is not added a second time if the text
 * begins with it. Throws `PromptError` if there are more or fewer placeholders than pictures.
 */
export function encodePrompt(
  tokenizer: Encoder,
  text: string,
  placeholders: readonly Placeholders[],
  bosText?: string,
): number[] {
  const expanded = placeholders.reduce(expandPlaceholders, text);
  const hasBos = bosText !== undefined && bosText !== "" && text.startsWith(bosText);
  return tokenizer.encode(expanded, { addSpecialTokens: !hasBos });
}

/** What the original LLaVA puts where a picture goes (IMAGE_TOKEN_INDEX). */
export const imageTokenIndex = -200;

/**
 * The original LLaVA's tokenisation (`tokenizer_image_token`): the pieces around the placeholders are tokenised one by
 * one, each with its BOS, of which only the first is kept; -200 stands for each picture.
 */
export function encodeAroundImages(
  tokenizer: Encoder,
  text: string,
  bosId: number | undefined,
  token = "<image>",
): number[] {
  const pieces = text.split(token).map((piece) => tokenizer.encode(piece, { addSpecialTokens: true }));
  const skip = bosId !== undefined && pieces[0][0] === bosId ? 1 : 0;
  const ids = pieces[0].slice(0, skip);
  for (const [i, piece] of pieces.entries()) {
    if (i > 0) ids.push(imageTokenIndex);
    for (const id of piece.slice(skip)) ids.push(id);
  }
  return ids;
}

/** `ids` with the i-th -200 replaced by counts[i] times `imageId`. Throws `PromptError` if their numbers differ. */
export function expandImageIds(ids: readonly number[], counts: readonly number[], imageId: number): number[] {
  const found = ids.filter((id) => id === imageTokenIndex).length;
  if (found !== counts.length) throw countMismatch("<image>", found, counts.length);
  let next = 0;
  return ids.flatMap((id) => (id === imageTokenIndex ? Array.from({ length: counts[next++] }, () => imageId) : [id]));
}
