import { TokenizerError } from "./error.ts";

/** One turn: the picture's place is written as `<image>` in its text. A system turn may only come first. */
export interface Turn {
  role: "system" | "user" | "assistant";
  text: string;
}

export interface TemplateOptions {
  /** Instead of the template's own system text; `""` for none. A system turn among the messages counts before it. */
  system?: string;
  /** End with the header of the assistant's turn (default false). */
  addGenerationPrompt?: boolean;
}

/** A prompt layout of the original LLaVA code, for checkpoints that name it instead of bringing a Jinja template. */
export interface ConversationTemplate {
  readonly name: string;
  /** The system text where none is given; `""` for none. */
  readonly system: string;
  /** An answer ends where this comes. */
  readonly stop: string;
  /** The prompt. @throws TokenizerError unless user and assistant alternate, the user first */
  render(messages: readonly Turn[], options?: TemplateOptions): string;
}

/** Writes the system text (not if empty), the turns, and the open turn of the assistant, if `open`. */
type Layout = (system: string, turns: readonly Turn[], open: boolean) => string;

const curious = (human: string) =>
  `A chat between a curious ${human} and an artificial intelligence assistant. ` +
  `The assistant gives helpful, detailed, and polite answers to the ${human}'s questions.`;
const visual =
  "You are a helpful language and vision assistant. You are able to understand the visual content that the user " +
  "provides, and assist the user with a variety of tasks using natural language.";

/** `USER: u ASSISTANT: a</s>USER: u ASSISTANT:` — a turn without text stays open, like the one to generate. */
const vicuna: Layout = (system, turns, open) =>
  (system && `${system} `) +
  turns
    .map(({ role, text }) => (role === "user" ? labelled("USER", text, " ") : labelled("ASSISTANT", text, "</s>")))
    .join("") +
  (open ? "ASSISTANT:" : "");

/** `###` behind everything. The original's name "v0" also puts a made-up first exchange in front; this does not. */
const hashes: Layout = (system, turns, open) =>
  (system && `${system}###`) +
  turns.map(({ role, text }) => labelled(role === "user" ? "Human" : "Assistant", text, "###")).join("") +
  (open ? "Assistant:" : "");

function labelled(label: string, text: string, end: string): string {
  return text === "" ? `${label}:` : `${label}: ${text}${end}`;
}

/** `[INST] u [/INST] a </s>`, the system text in the first question. The tokenizer adds the first BOS, `bos` others. */
const instruct =
  (bos: string): Layout =>
  (system, turns) =>
    turns
      .map(({ role, text }, i) => {
        const said = i === 0 && system ? `<<SYS>>\n${system}\n<</SYS>>\n\n${text}` : text;
        if (said === "") return "";
        return role === "user" ? `${i === 0 ? "" : bos}[INST] ${said} [/INST]` : ` ${said} </s>`;
      })
      .join("");

/** ChatML. `between` is what follows `<|im_end|>`: the 34B model was trained without the newline. */
const chatml =
  (between: string): Layout =>
  (system, turns, open) => {
    const turn = (role: string, text: string) => `<|im_start|>${role}\n${text}<|im_end|>${between}`;
    return (
      (system && turn("system", system)) +
      turns.map(({ role, text }) => turn(role, text)).join("") +
      (open ? "<|im_start|>assistant\n" : "")
    );
  };

/** LLaMA-3, texts trimmed as its Jinja template does; begins with BOS as text, so encode it without special tokens. */
const llama3: Layout = (system, turns, open) => {
  const header = (role: string) => `<|start_header_id|>${role}<|end_header_id|>\n\n`;
  const turn = (role: string, text: string) => `${header(role)}${text.trim()}<|eot_id|>`;
  return (
    "<|begin_of_text|>" +
    (system && turn("system", system)) +
    turns.map(({ role, text }) => turn(role, text)).join("") +
    (open ? header("assistant") : "")
  );
};

/** Stage 1: the picture and its caption, nothing else; what the user says about it is thrown away. */
const plain: Layout = (system, turns) => {
  const [question, caption, ...rest] = turns;
  if (system !== "" || rest.length > 0 || !question.text.includes("<image>")) {
    throw new TokenizerError(
      'template "plain": expected one user turn with <image>, at most one caption and no system text, ' +
        `got ${turns.length} turns${system ? " and a system text" : ""}`,
    );
  }
  return `<image>${caption ? `${caption.text}\n` : ""}`;
};

const templates: readonly (readonly [names: string[], system: string, stop: string, layout: Layout])[] = [
  [["plain"], "", "\n", plain],
  [["v1", "vicuna_v1"], curious("user"), "</s>", vicuna],
  [["llava_v1"], curious("human"), "</s>", vicuna],
  [["v0", "llava_v0"], curious("human"), "###", hashes],
  [["llama_2", "llava_llama_2"], visual, "</s>", instruct("<s>")],
  [["mistral_instruct"], "", "</s>", instruct("")],
  [["chatml_direct", "mistral_direct"], "Answer the questions.", "<|im_end|>", chatml("")],
  [["qwen_1_5", "qwen_2", "qwen"], "You are a helpful assistant.", "<|im_end|>", chatml("\n")],
  [["llama_3", "llava_llama_3"], visual, "<|eot_id|>", llama3],
];

/** The built-in templates by every name they go by. The layouts follow LLaVA's and LLaVA-NeXT's conversation.py. */
export const conversationTemplates: ReadonlyMap<string, ConversationTemplate> = new Map(
  templates.flatMap(([names, system, stop, layout]) => {
    const template: ConversationTemplate = {
      name: names[0],
      system,
      stop,
      render(messages, { system: given = system, addGenerationPrompt = false } = {}) {
        const first = messages[0]?.role === "system" ? messages[0] : undefined;
        const turns = first ? messages.slice(1) : messages;
        checkTurns(names[0], turns, addGenerationPrompt);
        return layout(first ? first.text : given, turns, addGenerationPrompt);
      },
    };
    return names.map((name) => [name, template] as const);
  }),
);

/** A built-in template by name. @throws TokenizerError listing the names there are */
export function conversationTemplate(name: string): ConversationTemplate {
  const template = conversationTemplates.get(name);
  if (template) return template;
  const names = [...conversationTemplates.keys()].join(", ");
  throw new TokenizerError(`template: expected one of ${names}, got "${name}"`);
}

function checkTurns(name: string, turns: readonly Turn[], open: boolean): void {
  const wrong = turns.findIndex(({ role }, i) => role !== (i % 2 === 0 ? "user" : "assistant"));
  if (turns.length === 0 || wrong >= 0) {
    const got = turns.length === 0 ? "no turns" : `${turns[wrong].role} as turn ${wrong + 1}`;
    throw new TokenizerError(`template "${name}": expected user and assistant in turn, the user first, got ${got}`);
  }
  if (open && turns.length % 2 === 0) {
    throw new TokenizerError(`template "${name}": expected a user turn to answer, got an assistant turn last`);
  }
}
