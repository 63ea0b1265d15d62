import { describe, expect, it } from "vitest";
import { readGolden } from "../test/golden/text/read.ts";
import { TokenizerError } from "./error.ts";
import { conversationTemplate, conversationTemplates } from "./templates.ts";
import type { Turn } from "./templates.ts";

interface Conversation {
  name: string;
  turns: Turn[];
  prompts: Record<string, string>;
}
const { cases } = readGolden<{ cases: Conversation[] }>("conversations.json");

const turns: Turn[] = [
  { role: "user", text: "u1" },
  { role: "assistant", text: "a1" },
  { role: "user", text: "u2" },
];

describe("built-in templates", () => {
  it.each(cases)("write $name as the original code does for training", ({ turns: messages, prompts }) => {
    const written = Object.keys(prompts).map((name) => [name, conversationTemplate(name).render(messages)]);
    expect(Object.fromEntries(written)).toEqual(prompts);
  });

  it.each([
    ["v1", "S USER: u1 ASSISTANT: a1</s>USER: u2 ASSISTANT:", "</s>"],
    ["llava_v1", "S USER: u1 ASSISTANT: a1</s>USER: u2 ASSISTANT:", "</s>"],
    ["v0", "S###Human: u1###Assistant: a1###Human: u2###Assistant:", "###"],
    ["llama_2", "[INST] <<SYS>>\nS\n<</SYS>>\n\nu1 [/INST] a1 </s><s>[INST] u2 [/INST]", "</s>"],
    ["mistral_instruct", "[INST] <<SYS>>\nS\n<</SYS>>\n\nu1 [/INST] a1 </s>[INST] u2 [/INST]", "</s>"],
    [
      "chatml_direct",
      "<|im_start|>system\nS<|im_end|><|im_start|>user\nu1<|im_end|><|im_start|>assistant\na1<|im_end|>" +
        "<|im_start|>user\nu2<|im_end|><|im_start|>assistant\n",
      "<|im_end|>",
    ],
    [
      "qwen_1_5",
      "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nu1<|im_end|>\n<|im_start|>assistant\na1<|im_end|>\n" +
        "<|im_start|>user\nu2<|im_end|>\n<|im_start|>assistant\n",
      "<|im_end|>",
    ],
    [
      "llama_3",
      "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|>" +
        "<|start_header_id|>user<|end_header_id|>\n\nu1<|eot_id|>" +
        "<|start_header_id|>assistant<|end_header_id|>\n\na1<|eot_id|>" +
        "<|start_header_id|>user<|end_header_id|>\n\nu2<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
      "<|eot_id|>",
    ],
  ])("%s has its layout and stop string", (name, prompt, stop) => {
    const template = conversationTemplate(name);
    expect(template.render(turns, { system: "S", addGenerationPrompt: true })).toBe(prompt);
    expect(template.render([{ role: "system", text: "S" }, ...turns], { addGenerationPrompt: true })).toBe(prompt);
    expect(template.stop).toBe(stop);
  });

  it("plain keeps the picture and the caption only", () => {
    const plain = conversationTemplate("plain");
    const question: Turn = { role: "user", text: "<image>\nDescribe it." };
    expect(plain.render([question], { addGenerationPrompt: true })).toBe("<image>");
    expect(plain.render([question, { role: "assistant", text: "A cat." }])).toBe("<image>A cat.\n");
    expect(plain.stop).toBe("\n");
    expect(() => plain.render([{ role: "user", text: "Hi" }])).toThrow(/one user turn with <image>/);
    expect(() => plain.render([question], { system: "S" })).toThrow(TokenizerError);
  });

  it("have their own system text, and none if it is empty", () => {
    const hi: Turn[] = [{ role: "user", text: "Hi" }];
    const without = { system: "", addGenerationPrompt: true };
    expect(conversationTemplate("v1").render(hi)).toMatch(/^A chat .* curious user .* user's questions\. USER: Hi $/);
    expect(conversationTemplate("llava_v1").render(hi)).toMatch(/^A chat .* curious human .* human's .*\. USER:/);
    expect(conversationTemplate("v0").render(hi)).toMatch(/^A chat .* curious human .* human's .*\.###Human: Hi###$/);
    expect(conversationTemplate("chatml_direct").render(hi)).toContain("system\nAnswer the questions.<|im_end|><|im");
    expect(conversationTemplate("v1").render(hi, without)).toBe("USER: Hi ASSISTANT:");
    expect(conversationTemplate("v0").render(hi, without)).toBe("Human: Hi###Assistant:");
    expect(conversationTemplate("llama_2").render(hi, without)).toBe("[INST] Hi [/INST]");
    expect(conversationTemplate("qwen").render(hi, without)).toBe(
      "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    );
  });

  it("go by several names", () => {
    expect(conversationTemplate("vicuna_v1")).toBe(conversationTemplate("v1"));
    expect(conversationTemplate("qwen")).toBe(conversationTemplate("qwen_1_5"));
    expect(conversationTemplate("qwen_2")).toBe(conversationTemplate("qwen_1_5"));
    for (const name of conversationTemplates.keys()) expect(conversationTemplate(name)).toBeDefined();
    expect(() => conversationTemplate("gpt")).toThrow(/expected one of plain, v1, .*, got "gpt"/);
  });

  it("refuse turns out of order", () => {
    const v1 = conversationTemplate("v1");
    expect(() => v1.render([])).toThrow(/got no turns/);
    expect(() => v1.render(turns.slice(1))).toThrow(/the user first, got assistant as turn 1/);
    expect(() => v1.render([turns[0], turns[0]])).toThrow(/got user as turn 2/);
    expect(() => v1.render(turns.slice(0, 2), { addGenerationPrompt: true })).toThrow(/got an assistant turn last/);
  });
});
