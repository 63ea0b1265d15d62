import { describe, expect, it } from "vitest";
import { goldenTokenizer, readGolden } from "../test/golden/text/read.ts";
import type { TokenizerName } from "../test/golden/text/read.ts";
import { ChatTemplate, findChatTemplate } from "./chat.ts";
import type { ChatMessage } from "./chat.ts";
import { TokenizerError } from "./error.ts";
import { strftime } from "./jinja.ts";

interface ChatGoldens {
  tokenizer: Record<string, TokenizerName>;
  templates: Record<string, string>;
  conversations: Record<string, ChatMessage[]>;
  rows: { template: string; conversation: string; add_generation_prompt: boolean; text?: string; error?: string }[];
}
const goldens = readGolden<ChatGoldens>("chat_templates.json");

describe.each(Object.keys(goldens.templates))("template %s", (name) => {
  const template = new ChatTemplate(goldens.templates[name], goldenTokenizer(goldens.tokenizer[name]));
  const rows = goldens.rows.filter((row) => row.template === name);

  it.each(rows)("$conversation, generation prompt $add_generation_prompt", (row) => {
    const render = () =>
      template.render(goldens.conversations[row.conversation], { addGenerationPrompt: row.add_generation_prompt });
    if (row.error === undefined) {
      expect(render()).toBe(row.text);
    } else {
      expect(render).toThrow(TokenizerError);
      const [, raised] = /^TemplateError: (.*)$/.exec(row.error) ?? [];
      if (raised) expect(render).toThrow(raised);
    }
  });
});

describe("ChatTemplate", () => {
  const render = (template: string, messages: ChatMessage[] = [], extra = {}) =>
    new ChatTemplate(template).render(messages, extra);

  it("concatenates text with text only, as Python does", () => {
    expect(render("{{ 'a' + 'b' + 'c' }}{{ 1 + 2 }}{{ ([1] + [2]) | length }}")).toBe("abc32");
    for (const other of ["1", "[1]", "none", "{'a': 1}", "true"]) {
      expect(() => render(`{{ 'a' + ${other} }}`)).toThrow(/chat template: .*can only concatenate text to text, got/);
    }
    expect(() => render("{{ 'a' + missing }}")).toThrow(TokenizerError);
  });

  it("writes lists and dictionaries as Python does where a filter asks for text", () => {
    const values = { x: ["it's", 'a "b"', `'"`, "\\\n\u0001é", 1, 1.5, true, null, { k: [] }] };
    const expected = `["it's", 'a "b"', '\\'"', '\\\\\\n\\x01é', 1, 1.5, True, None, {'k': []}]`;
    expect(render("{{ x | trim }}", [], values)).toBe(expected);
    expect(render("{{ x ~ '' }}", [], values)).toBe(expected);
  });

  it("has transformers' variables and functions", () => {
    expect(render("{{ tools is none }} {{ documents is none }} {{ bos_token is defined }}")).toBe("true true false");
    expect(render("{% for i in range(3) %}{{ i }}{% endfor %}")).toBe("012");
    expect(render("{% for i in range(5, 1, -2) %}{{ i }}{% endfor %}")).toBe("53");
    expect(render("{{ strftime_now('%Y') }}")).toBe(String(new Date().getFullYear()));
    expect(render("{{ enable_thinking }}", [], { enable_thinking: "yes" })).toBe("yes");
    expect(new ChatTemplate("{{ bos_token }}{{ eos_token }}", { bosToken: "<s>", eosToken: "</s>" }).render([])).toBe(
      "<s></s>",
    );
  });

  it("shows bytes in a message to the template as true, not one by one", () => {
    const content = [{ type: "image", image: new Uint8Array(1 << 24) }, { type: "image", image: new Blob() }];
    const template = "{% for part in messages[0].content %}{{ 'image' in part }}{{ part.image }} {% endfor %}";
    expect(render(template, [{ role: "user", content }])).toBe("truetrue truetrue ");
  });

  it("says what is wrong, on one line", () => {
    const raising = "{{ raise_exception('no\\nvideo') }}";
    for (const template of ["{% if %}", "{% for %}", "{{ x | nofilter }}", "{{ range(10 ** 9) }}", raising]) {
      expect(() => render(template, [], { x: "a" })).toThrow(TokenizerError);
      expect(() => render(template, [], { x: "a" })).toThrow(/^chat template: cannot render these messages \(.*\)$/);
    }
    expect(() => render("{{ raise_exception('no video') }}")).toThrow("no video");
  });
});

it("strftime writes dates as the C locale does", () => {
  const date = new Date(2024, 6, 5, 9, 3, 7);
  expect(strftime(date, "%d %b %Y, %A %a %B %y-%m %H:%M:%S 100%% %Q")).toBe(
    "05 Jul 2024, Friday Fri July 24-07 09:03:07 100% %Q",
  );
});

describe("findChatTemplate", () => {
  const find = (files: Record<string, unknown>, name?: string) =>
    findChatTemplate(
      {
        has: async (file) => file in files,
        text: async (file) => (typeof files[file] === "string" ? files[file] : JSON.stringify(files[file])),
      },
      name,
    );
  const files = {
    "tokenizer_config.json": { chat_template: "four" },
    "processor_config.json": { chat_template: "three" },
    "chat_template.json": { chat_template: "two" },
    "chat_template.jinja": "one",
  };

  it("takes the first of the four files that has one", async () => {
    const entries = Object.entries(files);
    const found = await Promise.all([4, 3, 2, 1, 0].map((n) => find(Object.fromEntries(entries.slice(0, n)))));
    expect(found).toEqual(["one", "two", "three", "four", undefined]);
    const last = { "processor_config.json": {}, "tokenizer_config.json": { chat_template: "four" } };
    expect(await find(last)).toBe("four");
  });

  it("chooses among named templates", async () => {
    const list = { chat_template: [{ name: "tool_use", template: "t" }, { name: "default", template: "d" }] };
    expect(await find({ "tokenizer_config.json": list })).toBe("d");
    expect(await find({ "tokenizer_config.json": list }, "tool_use")).toBe("t");
    await expect(find({ "tokenizer_config.json": list }, "rag")).rejects.toThrow(
      'tokenizer_config.json: expected a chat template named "rag", got ones named: tool_use, default',
    );
  });

  it("names a file that is not JSON", async () => {
    await expect(find({ "chat_template.json": "{%" })).rejects.toThrow(/^chat_template.json: expected JSON/);
  });
});
