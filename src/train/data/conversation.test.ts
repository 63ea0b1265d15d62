import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { goldenTokenizer } from "../../../test/golden/text/read.ts";
import { masks, tokenizers } from "../../../test/golden/training/masks/read.ts";
import { conversationTemplate } from "../../../tokenizer/templates.ts";
import type { Tokenizer } from "../../../tokenizer/tokenizer.ts";
import { encodeConversation, expandConversation, trainingTemplates } from "./conversation.ts";
import type { TrainingTemplate } from "./conversation.ts";
import { DataError, SampleError } from "./error.ts";

const cases = masks.cases.flatMap((conversation) =>
  trainingTemplates.flatMap((template) => {
    const golden = conversation.expected[template];
    return golden ? [{ ...conversation, template, golden }] : [];
  }),
);

const tokenizerOf = (template: TrainingTemplate): Tokenizer => tokenizers[masks.templates[template].tokenizer];

const turns = [
  { from: "human", value: "What is it?" },
  { from: "gpt", value: "A red boat." },
] as const;

describe("encodeConversation", () => {
  it("has all the goldens", () => {
    expect(cases).toHaveLength(159);
  });

  it.each(cases)("$name, $template, as the reference", ({ template, golden, ...given }) => {
    const { conversations, images, placement, model_max_length: maxLength } = given;
    const got = encodeConversation(tokenizerOf(template), conversations, { template, images, placement, maxLength });
    expect(got).toEqual({
      prompt: golden.prompt,
      inputIds: golden.input_ids,
      labels: golden.labels,
      mismatch: golden.mismatch,
    });
    expect(got.labels.filter((label) => label !== -100)).toHaveLength(golden.learning);
  });

  it.each(cases.filter(({ golden }) => golden.expanded_input_ids))("$name, $template, expanded", (one) => {
    const { images, template, golden } = one;
    const counts = Array.from({ length: images }, () => masks.image_rows_when_expanded);
    const imageToken = masks.tokenizers[masks.templates[template].tokenizer].special_tokens["<image>"];
    const encoded = { inputIds: golden.input_ids, labels: golden.labels };
    expect(expandConversation(encoded, counts, imageToken, one.model_max_length)).toEqual({
      inputIds: golden.expanded_input_ids,
      labels: golden.expanded_labels,
    });
  });

  it("takes the pictures instead of their number, and roles as LLaVA-NeXT spells them", () => {
    const named = [{ role: "user", content: "<image>\nWhat is it?" }, { role: "assistant", content: "A red boat." }];
    const listed = [{ from: "human", value: "<image>\nWhat is it?" }, turns[1]] as const;
    const got = encodeConversation(tokenizers.llama, named, { template: "v1", images: ["a.png"] });
    expect(got).toEqual(encodeConversation(tokenizers.llama, listed, { template: "v1", images: 1 }));
    expect(got.inputIds.filter((id) => id === -200)).toHaveLength(1);
  });

  it.each(["v1", "llama_2", "qwen", "llama_3"] as const)("takes another system text with %s", (template) => {
    const tokenizer = tokenizerOf(template);
    const encode = (system: string) => encodeConversation(tokenizer, turns, { template, system });
    const [without, other] = [encode(""), encode("Be brief.")];
    const messages = [{ role: "user", text: turns[0].value }, { role: "assistant", text: turns[1].value }] as const;
    expect(without.prompt).toBe(conversationTemplate(template).render(messages, { system: "" }));
    expect(other.prompt).toBe(conversationTemplate(template).render(messages, { system: "Be brief." }));
    expect(without.mismatch || other.mismatch).toBe(false);
    const answers = [without, other].map(({ labels }) => labels.filter((label) => label !== -100).length);
    expect(answers[0]).toBeGreaterThan(0);
    expect(answers[0]).toBeLessThanOrEqual(answers[1]);
  });

  it("learns every answer of several rounds with a tokenizer that puts no BOS in front", () => {
    const tokenizer = goldenTokenizer("qwen");
    const several = [...turns, { from: "human", value: "Sure?" }, { from: "gpt", value: "Yes." }] as const;
    const options = { template: "v1", system: "" } as const;
    const { inputIds, labels, mismatch } = encodeConversation(withEnd(tokenizer), several, options);
    expect(mismatch).toBe(false);
    const learnt = inputIds.filter((_, i) => labels[i] !== -100);
    const spelled = learnt.map((id) => (id === END ? "</s>" : tokenizer.tokenOf(id)));
    expect(spelled.join("")).toBe("ĠAĠredĠboat.</s>ĠYes.</s>");
  });

  it("masks what it learns from, and nothing learns at a picture (property)", () => {
    const word = fc.constantFrom("a", "<image>", " ", "\n", "USER:", " ASSISTANT: ", "</s>", "[/INST] ", "ü🐱", "");
    const text = fc.array(word, { maxLength: 6 }).map((words) => words.join(""));
    const talk = fc.array(text, { minLength: 1, maxLength: 5 });
    const settings = fc.record({
      template: fc.constantFrom(...trainingTemplates.filter((name) => name !== "plain")),
      placement: fc.constantFrom("front" as const, "interleaved" as const),
      maxLength: fc.integer({ min: 1, max: 120 }),
    });
    fc.assert(
      fc.property(talk, settings, (texts, options) => {
        const conversations = texts.map((value, i) => ({ from: i % 2 ? "gpt" as const : "human" as const, value }));
        const { inputIds, labels } = encodeConversation(tokenizerOf(options.template), conversations, options);
        expect(labels).toHaveLength(inputIds.length);
        expect(inputIds.length).toBeLessThanOrEqual(options.maxLength);
        for (const [i, label] of labels.entries()) {
          if (label !== -100) expect(label).toBe(inputIds[i]);
          if (inputIds[i] === -200) expect(label).toBe(-100);
        }
      }),
      { numRuns: 200, seed: 4 },
    );
  });

  it.each([
    [{ template: "v2" }, /template: expected one of plain, v1, .*got "v2"/],
    [{ template: "v1", placement: "back" }, /placement: expected one of front, interleaved, got "back"/],
    [{ template: "v1", maxLength: 0 }, /maxLength: expected a whole number of at least 1, got 0/],
    [{ template: "v1", images: -1 }, /images: expected a whole number of at least 0, got -1/],
    [{ template: "v1", system: 7 }, /system: expected text, got number/],
    [{ template: "plain", system: "Hi" }, /system: expected none with template "plain"/],
  ])("refuses %j", (options, message) => {
    const act = () => encodeConversation(tokenizers.llama, turns, options as never);
    expect(act).toThrow(DataError);
    expect(act).toThrow(message);
  });

  it("refuses what is no caption with plain, naming the sample", () => {
    const act = () => encodeConversation(tokenizers.llama, turns, { template: "plain", id: "x7" });
    expect(act).toThrow(SampleError);
    expect(act).toThrow('sample x7, conversations: template "plain" expects a question with <image> and a caption');
  });
});

describe("expandConversation", () => {
  it("gives each picture its own number of rows and cuts inside of one", () => {
    const encoded = { inputIds: [1, -200, 5, -200, 6], labels: [-100, -100, 5, -100, 6] };
    expect(expandConversation(encoded, [2, 3], 9, 6)).toEqual({
      inputIds: [1, 9, 9, 5, 9, 9],
      labels: [-100, -100, -100, 5, -100, -100],
    });
  });

  it("refuses a picture without a count", () => {
    expect(() => expandConversation({ inputIds: [-200], labels: [-100] }, [], 9)).toThrow(/rowCounts: expected one/);
  });
});

/** An id that the golden tokenizer does not have. */
const END = 1_000_000;

/** `tokenizer` with a token `</s>`, which the golden one lacks. */
function withEnd(tokenizer: Tokenizer): Tokenizer {
  const encode = (text: string): number[] =>
    text.split("</s>").flatMap((piece, i) => [...(i > 0 ? [END] : []), ...tokenizer.encode(piece)]);
  return { encode } as Tokenizer;
}
