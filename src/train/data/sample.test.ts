import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LlavaError } from "../../../errors/index.ts";
import { dataLayer, masks, tokenizers } from "../../../test/golden/training/masks/read.ts";
import { encodeConversation } from "./conversation.ts";
import { SampleError } from "./error.ts";
import { checkPlaceholders, placeImages } from "./placement.ts";
import { modalityLength, parseSample } from "./sample.ts";
import { countWords, strip } from "./whitespace.ts";

const talk = [{ from: "human", value: "hi" }, { from: "gpt", value: "hello" }];

function errorOf(act: () => unknown): SampleError {
  try {
    act();
  } catch (error) {
    if (error instanceof SampleError) return error;
    throw error;
  }
  throw new Error("expected a SampleError, got none");
}

describe("parseSample", () => {
  it.each(dataLayer.broken_samples)("refuses $name, naming sample and field", ({ sample }) => {
    const error = errorOf(() => parseSample(sample));
    expect(error.sample).toBe(sample.id);
    expect(error.field).toMatch(/^conversations/);
    expect(error.message).toMatch(new RegExp(`^sample ${sample.id}, conversations.*: expected .*got `));
  });

  it.each([
    [7, "JSON", "expected an object, got 7"],
    [{ id: {}, conversations: talk }, "id", "expected text or a number, got {}"],
    [{ image: 3, conversations: talk }, "image", "expected the path or URL of a picture, got 3"],
    [{ image: ["a.png", ""], conversations: talk }, "image[1]", 'expected the path or URL of a picture, got ""'],
    [{ conversations: [talk[0], "yes"] }, "conversations[1]", 'expected { from, value }, got "yes"'],
    [{ conversations: [{ role: "bot", content: "x" }] }, "conversations[0].role", 'expected "human" or "gpt"'],
    [{ conversations: [{ role: "user" }] }, "conversations[0].content", "expected text, got nothing"],
    [{ conversations: [talk[1], talk[0], talk[0]] }, "conversations[2]", "expected human and gpt in turn"],
  ])("refuses %j at %s", (sample, field, problem) => {
    const error = errorOf(() => parseSample(sample, "number 5"));
    expect(error.field).toBe(field);
    expect(error.message).toContain(`sample number 5, ${field}: ${problem}`);
  });

  it("takes numbers as ids, one picture or several, and role with content", () => {
    const conversations = [{ role: "user", content: "hi" }, { role: "assistant", content: "hello" }];
    expect(parseSample({ id: 12, image: "a.png", conversations })).toEqual({
      id: "12",
      images: ["a.png"],
      conversations: talk,
    });
    expect(parseSample({ image: ["a.png", "b.png"], conversations: talk }, "at 3")).toMatchObject({
      id: "at 3",
      images: ["a.png", "b.png"],
    });
    const pixels = { width: 1, height: 1, data: new Uint8Array(3) };
    expect(parseSample({ id: "x", image: pixels, conversations: talk }).images).toEqual([pixels]);
  });

  it("gives a sample or a LlavaError for anything (property)", () => {
    const key = fc.constantFrom("id", "image", "conversations", "from", "value", "role", "content");
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom("human", "gpt", "user", "<image>", "", null, 0, -1, true, talk),
        fc.array(tie("tree"), { maxLength: 3 }),
        fc.dictionary(key, tie("tree"), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        try {
          expect(parseSample(value).conversations.length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(LlavaError);
          expect((error as Error).message).not.toMatch(/\n/);
        }
      }),
      { numRuns: 500, seed: 1 },
    );
  });
});

describe("placeImages", () => {
  it.each(dataLayer.placement)("$value", ({ value, front, interleaved }) => {
    const turns = [{ from: "human", value }] as const;
    expect(placeImages(turns, "front")).toEqual([{ from: "human", value: front }]);
    expect(placeImages(turns, "interleaved")).toEqual([{ from: "human", value: interleaved }]);
  });

  it("takes off the white space that Python takes off", () => {
    const value = "\u001c\u0085 a <image>\ufeff\u3000";
    expect(placeImages([{ from: "human", value }], "front")[0].value).toBe("<image>\na \ufeff");
  });
});

describe("counts of placeholders", () => {
  it.each(dataLayer.counts)("$name", ({ sample, placement, placeholders, images, valid }) => {
    const parsed = parseSample(sample);
    expect(parsed.images).toHaveLength(images);
    const placed = placeImages(parsed.conversations, placement);
    const check = () => checkPlaceholders(placed, images, parsed.id);
    const encode = () =>
      encodeConversation(tokenizers.llama, sample.conversations, { template: "v1", images, placement, id: parsed.id });
    if (valid) {
      expect(check).not.toThrow();
      expect(encode().inputIds.filter((token) => token === -200)).toHaveLength(images);
      return;
    }
    for (const act of [check, encode]) {
      const error = errorOf(act);
      expect([error.sample, error.field]).toEqual([sample.id, "image"]);
      expect(error.message).toContain(`each of ${images} pictures, got ${placeholders} `);
    }
  });
});

describe("modalityLength", () => {
  it.each(masks.cases)("$name", ({ conversations, images, modality_length }) => {
    const pictures = Array.from({ length: images }, (_, i) => `${i}.png`);
    expect(modalityLength({ id: "x", images: pictures, conversations })).toBe(modality_length);
  });

  it("is never 0", () => {
    expect(modalityLength({ id: "x", images: [], conversations: [{ from: "human", value: " " }] })).toBe(-1);
  });
});

describe("white space", () => {
  it("is Python's", () => {
    const spaces = [...Array(0x10000).keys()].filter((code) => strip(String.fromCharCode(code)) === "");
    expect(spaces).toEqual([
      9, 10, 11, 12, 13, 28, 29, 30, 31, 32, 0x85, 0xa0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006,
      0x2007, 0x2008, 0x2009, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000,
    ]);
    expect(countWords("\u0085a\u001cb  c\ufeffd\n")).toBe(3);
    expect([strip(""), countWords("")]).toEqual(["", 0]);
  });
});
