import type { PictureSource } from "./decode.ts";
import { countMismatch, countPlaceholders, PromptError } from "./prompt.ts";

/** A part of a message. A picture or video without source takes the next one of the request. */
export type MessagePart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image"; readonly image?: PictureSource }
  | { readonly type: "video"; readonly frames?: readonly PictureSource[] };

export interface Message {
  readonly role: string;
  readonly content: string | readonly MessagePart[];
}

/** What a user asks: a `prompt`, or a conversation. */
export interface Request {
  /** The user's words; with `template: "none"` the raw text with its placeholders. */
  readonly prompt?: string;
  readonly system?: string;
  readonly messages?: readonly Message[];
  readonly images?: readonly PictureSource[];
  readonly videos?: readonly (readonly PictureSource[])[];
  /** "none": no chat template; any other text names or is one. */
  readonly template?: string;
}

/** A part as chat templates read it: pictures are marks only. */
export type TemplatePart = { type: "text"; text: string } | { type: "image" } | { type: "video" };

export interface TemplateMessage {
  role: string;
  content: TemplatePart[];
}

/** A request with its pictures in the order of their places. */
export interface NormalisedRequest {
  /** For the chat template; empty if there is a `rawPrompt`. */
  readonly messages: TemplateMessage[];
  readonly rawPrompt?: string;
  readonly images: PictureSource[];
  readonly videos: (readonly PictureSource[])[];
}

/** The checkpoint's placeholders: written in a text they mark a place, too. */
export interface PlaceholderTokens {
  readonly image: string;
  readonly video: string;
}

const defaultTokens: PlaceholderTokens = { image: "<image>", video: "<video>" };

function checkedList<T>(value: readonly T[] | undefined, name: string): readonly T[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new PromptError(`request: ${name} must be an array, got ${typeof value}`);
  return value;
}

/** Hands out the request's pictures in order and counts the places that asked. */
class Supply<T> {
  readonly taken: T[] = [];
  #places = 0;
  #next = 0;

  constructor(
    readonly given: readonly T[],
    readonly token: string,
  ) {}

  /** One place without its own picture. */
  take(): void {
    this.#places++;
    if (this.#next < this.given.length) this.taken.push(this.given[this.#next++]);
  }

  /** All that was given must have a place, and every place a picture. */
  finish(): void {
    if (this.#places !== this.given.length) throw countMismatch(this.token, this.#places, this.given.length);
  }
}

function checkRequest(request: Request): void {
  if (typeof request !== "object" || request === null) throw new PromptError("request: must be an object");
  const { prompt, messages, system } = request;
  if ((prompt === undefined) === (messages === undefined)) {
    const both = prompt === undefined ? "neither" : "both";
    throw new PromptError(`request: give either prompt or messages, got ${both}`);
  }
  if (prompt !== undefined && typeof prompt !== "string") throw new PromptError("request: prompt must be a string");
  if (messages !== undefined && request.template === "none") {
    throw new PromptError('request: template "none" goes with prompt; messages need a chat template');
  }
  if (messages !== undefined && system !== undefined) {
    throw new PromptError('request: system goes with prompt; in messages give { role: "system", content } first');
  }
  if (messages !== undefined && (!Array.isArray(messages) || messages.length === 0)) {
    throw new PromptError("request: messages must be an array with at least one message");
  }
}

/** `prompt` and `system` as messages; pictures that the prompt does not place come before its words, as in training. */
function messagesOfPrompt(request: Request, tokens: PlaceholderTokens): Message[] {
  const text = request.prompt as string;
  const unplaced = (list: readonly unknown[], token: string) => (countPlaceholders(text, token) > 0 ? [] : list);
  const content: MessagePart[] = [
    ...unplaced(checkedList(request.images, "images"), tokens.image).map(() => ({ type: "image" }) as const),
    ...unplaced(checkedList(request.videos, "videos"), tokens.video).map(() => ({ type: "video" }) as const),
    { type: "text", text },
  ];
  const system: Message[] = request.system === undefined ? [] : [{ role: "system", content: request.system }];
  return [...system, { role: "user", content }];
}

/**
 * Brings a request into one form: messages whose content is a list of parts, and the pictures in the order of their
 * places. Pictures stand in place, or are taken in order from `images` and `videos`; a placeholder written in a text
 * takes one as well. Throws `PromptError` if places and pictures differ in number, or the request makes no sense.
 */
export function normaliseRequest(request: Request, tokens: PlaceholderTokens = defaultTokens): NormalisedRequest {
  checkRequest(request);
  const images = new Supply(checkedList(request.images, "images"), tokens.image);
  const videos = new Supply(checkedList(request.videos, "videos"), tokens.video);
  const text = (value: string): TemplatePart => {
    for (let i = countPlaceholders(value, tokens.image); i > 0; i--) images.take();
    for (let i = countPlaceholders(value, tokens.video); i > 0; i--) videos.take();
    return { type: "text", text: value };
  };
  const part = (value: MessagePart, where: string): TemplatePart => {
    if (value?.type === "text" && typeof value.text === "string") return text(value.text);
    if (value?.type === "image") {
      if (value.image === undefined) images.take();
      else images.taken.push(value.image);
      return { type: "image" };
    }
    if (value?.type === "video") {
      if (value.frames === undefined) videos.take();
      else videos.taken.push(checkedList(value.frames, `${where}.frames`));
      return { type: "video" };
    }
    throw new PromptError(`request: ${where} must be a part of type "text", "image" or "video"`);
  };

  const messages: TemplateMessage[] = [];
  let rawPrompt: string | undefined;
  if (request.template === "none") {
    rawPrompt = request.prompt as string;
    text(rawPrompt);
  } else {
    for (const [i, message] of (request.messages ?? messagesOfPrompt(request, tokens)).entries()) {
      if (typeof message?.role !== "string") throw new PromptError(`request: messages[${i}] needs a role`);
      const { role, content } = message;
      if (typeof content === "string") messages.push({ role, content: [text(content)] });
      else if (Array.isArray(content)) {
        const where = `messages[${i}].content`;
        messages.push({ role, content: content.map((value, j) => part(value, `${where}[${j}]`)) });
      } else throw new PromptError(`request: messages[${i}].content must be a string or an array of parts`);
    }
  }
  images.finish();
  videos.finish();
  for (const [i, frames] of videos.taken.entries()) {
    if (frames.length === 0) throw new PromptError(`request: video ${i + 1} has no frames`);
  }
  return { messages, rawPrompt, images: images.taken, videos: videos.taken };
}

/**
 * Messages with plain strings as content, for templates that know no parts: each picture becomes its placeholder and a
 * line break in front of the words, as in LLaVA's training data.
 */
export function flattenMessages(
  messages: readonly TemplateMessage[],
  tokens: PlaceholderTokens = defaultTokens,
): { role: string; content: string }[] {
  return messages.map(({ role, content }) => ({
    role,
    content: content.map((part) => (part.type === "text" ? part.text : `${tokens[part.type]}\n`)).join(""),
  }));
}
