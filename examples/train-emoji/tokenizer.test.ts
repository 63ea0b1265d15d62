/** A tokenizer trained on a few sentences: our tokenizer opens it, every text comes back, and the layout is LLaVA's. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { ChatTemplate, Tokenizer } from "llava-webgpu/tokenizer";
import { afterAll, describe, expect, it } from "vitest";
import { trainTokenizer, writeTokenizer } from "./tokenizer.ts";

const texts: [string, number][] = [
  ["USER: <image>\nWhat is this? ASSISTANT: red apple</s>", 40],
  ["USER: <image>\nWhat colour is it? ASSISTANT: red and green</s>", 30],
  ["green apple", 20],
  ["piñata", 3],
];
const folder = mkdtempSync(join(tmpdir(), "llava-tokenizer-"));
afterAll(() => rmSync(folder, { recursive: true }));
writeTokenizer(folder, texts, { size: 420 });
const tokenizer = await Tokenizer.load(folder);
const pieces = (text: string) => tokenizer.encode(text, { addSpecialTokens: false }).map((id) => tokenizer.tokenOf(id));

describe("trainTokenizer", () => {
  it("has LLaMA's first tokens and ours at the end", () => {
    expect(["<unk>", "<s>", "</s>", "<0x00>", "<0xFF>", "!"].map((token) => tokenizer.idOf(token))).toEqual([0, 1, 2, 3, 258, 259]);
    expect([tokenizer.idOf("<image>"), tokenizer.idOf("<pad>")]).toEqual([tokenizer.size - 2, tokenizer.size - 1]);
    expect([...tokenizer.specialIds].sort((a, b) => a - b)).toEqual([0, 1, 2, tokenizer.size - 2, tokenizer.size - 1]);
    expect(tokenizer.encode("apple")[0]).toBe(1);
  });

  it("learns frequent words whole, and never across words", () => {
    expect(pieces("USER: <image>\nWhat is this? ASSISTANT: green apple</s>")).toEqual([
      "▁USER", ":", "▁", "<image>", "▁", "<0x0A>", "What", "▁is", "▁this", "?", "▁ASSISTANT", ":", "▁green", "▁apple", "</s>",
    ]);
    expect(pieces("apple, apple")).toEqual(["▁apple", ",", "▁apple"]);
  });

  it("gives every text back", () => {
    for (const text of ["What colour is it?", "red and green", "a piñata", "  two  spaces ", ""]) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
    fc.assert(
      // "▁" is read as a space, as in every tokenizer of this kind.
      fc.property(fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !text.includes("▁")), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it("spells by bytes what the texts do not have", () => {
    expect(pieces("ñ")).toEqual(["▁", "ñ"]);
    expect(pieces("é")).toEqual(["▁", "<0xC3>", "<0xA9>"]);
  });

  it("does not depend on the order of the texts", () => {
    const again = JSON.parse(JSON.stringify(trainTokenizer(texts.toReversed(), { size: 420 })));
    expect(again).toEqual(JSON.parse(readFileSync(join(folder, "tokenizer.json"), "utf8")));
  });

  it("says which size it needs", () => {
    expect(() => trainTokenizer([["☃", 1]], { size: 300 })).toThrow("trainTokenizer: the texts need a size of at least 357, for all characters and bytes, got 300");
    expect(trainTokenizer([["☃", 1]], { size: 357 })).toMatchObject({ model: { merges: [] } });
  });
});

describe("the files beside it", () => {
  it("lay out turns as LLaVA-1.5 does", async () => {
    const source = readFileSync(join(folder, "chat_template.jinja"), "utf8");
    const messages = [
      { role: "user" as const, content: [{ type: "text" as const, text: "What is this?" }, { type: "image" as const }] },
      { role: "assistant" as const, content: "red apple" },
      { role: "user" as const, content: "Why?" },
    ];
    const rendered = new ChatTemplate(source).render(messages, { addGenerationPrompt: true });
    expect(rendered).toBe("USER: <image>\nWhat is this? ASSISTANT: red apple</s>USER: Why? ASSISTANT:");
  });

  it("name the special tokens", () => {
    expect([tokenizer.bosToken, tokenizer.eosToken, tokenizer.padToken, tokenizer.unkToken]).toEqual(["<s>", "</s>", "<pad>", "<unk>"]);
    const generation = JSON.parse(readFileSync(join(folder, "generation_config.json"), "utf8"));
    expect(generation).toMatchObject({ bos_token_id: 1, eos_token_id: 2, pad_token_id: tokenizer.size - 1 });
  });
});
