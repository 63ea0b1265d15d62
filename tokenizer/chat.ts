import { TokenizerError, reason } from "./error.ts";
import { readJson } from "./folder.ts";
import type { TokenizerFolder } from "./folder.ts";
import { renderJinja } from "./jinja.ts";
import { isObject } from "./json.ts";

/** A part of a message: `{ type: "text", text }`, `{ type: "image" }`, `{ type: "video" }`, or what templates know. */
export interface ChatContent {
  type: string;
  text?: string;
  [key: string]: unknown;
}

/** One turn of a conversation, as `apply_chat_template` takes it. */
export interface ChatMessage {
  role: string;
  content: string | readonly ChatContent[];
  [key: string]: unknown;
}

/** Texts of the special tokens that a template may name. */
export interface SpecialTokens {
  bosToken?: string;
  eosToken?: string;
  padToken?: string;
  unkToken?: string;
}

/** What a template gets besides the messages; further names become variables as they are. */
export interface RenderOptions {
  /** End with the header of the assistant's turn (default false). */
  addGenerationPrompt?: boolean;
  [variable: string]: unknown;
}

/**
 * A checkpoint's chat template: Jinja, in the environment of transformers' `apply_chat_template`.
 *
 * The template sees `messages`, `add_generation_prompt`, the special tokens there are (`bos_token`, ...), and `tools`
 * and `documents`, which are none. Pictures and other bytes inside messages are `true` for it: there is something.
 */
export class ChatTemplate {
  readonly template: string;
  readonly #specials: Record<string, string>;

  /** @param specials a `Tokenizer` will do */
  constructor(template: string, specials: SpecialTokens = {}) {
    this.template = template;
    const { bosToken, eosToken, padToken, unkToken } = specials;
    const named = { bos_token: bosToken, eos_token: eosToken, pad_token: padToken, unk_token: unkToken };
    this.#specials = Object.fromEntries(
      Object.entries(named).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
  }

  /**
   * The prompt for a conversation.
   *
   * @throws TokenizerError with what the template raises ("roles must alternate"), or where it fails
   */
  render(messages: readonly ChatMessage[], { addGenerationPrompt = false, ...extra }: RenderOptions = {}): string {
    try {
      return renderJinja(this.template, {
        tools: null,
        documents: null,
        ...this.#specials,
        ...(plain(extra) as Record<string, unknown>),
        messages: plain(messages),
        add_generation_prompt: addGenerationPrompt,
      });
    } catch (cause) {
      throw new TokenizerError(`chat template: cannot render these messages (${reason(cause)})`, { cause });
    }
  }
}

/**
 * The chat template of a checkpoint, from where transformers looks for it, first find first: `chat_template.jinja`,
 * `chat_template.json`, `processor_config.json`, `tokenizer_config.json`. Gives `undefined` if none of them has one.
 *
 * @param name which one of a list of named templates
 * @throws TokenizerError if a file is not JSON, or has named templates but none of that name
 */
export async function findChatTemplate(folder: TokenizerFolder, name = "default"): Promise<string | undefined> {
  if (await folder.has("chat_template.jinja")) return folder.text("chat_template.jinja");
  for (const file of ["chat_template.json", "processor_config.json", "tokenizer_config.json"]) {
    const config = await readJson(folder, file);
    const template = isObject(config) ? config.chat_template : undefined;
    if (typeof template === "string") return template;
    if (Array.isArray(template)) return named(template.filter(isObject), name, file);
  }
  return undefined;
}

function named(templates: Record<string, unknown>[], name: string, file: string): string {
  const template = templates.find((entry) => entry.name === name)?.template;
  if (typeof template === "string") return template;
  const names = templates.map((entry) => String(entry.name)).join(", ");
  throw new TokenizerError(`${file}: expected a chat template named "${name}", got ones named: ${names}`, { file });
}

/** JSON-like data as it is, other objects (bytes, a Blob) as `true`: the interpreter would copy them byte by byte. */
function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return true;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
