import { describe, expect, it } from "vitest";
import { readJson } from "../../test/golden/pixels/read.ts";
import { flattenMessages, normaliseRequest } from "./messages.ts";
import type { Message, Request } from "./messages.ts";
import { PromptError } from "./prompt.ts";

const { cases } = readJson<{ cases: { images: string[]; videos: string[][]; messages?: Message[] }[] }>("prompts.json");

describe("normaliseRequest", () => {
  it("leaves the messages of transformers' chat templates as they are", () => {
    for (const { messages, images, videos } of cases) {
      if (!messages) continue;
      const normalised = normaliseRequest({ messages, images, videos });
      expect(normalised).toEqual({ messages, images, videos, rawPrompt: undefined });
    }
  });

  it("puts pictures before a prompt's words, and a system message first", () => {
    const text = (words: string) => ({ type: "text", text: words });
    expect(normaliseRequest({ prompt: "Why?", system: "Be brief.", images: ["a", "b"], videos: [["c"]] })).toEqual({
      messages: [
        { role: "system", content: [text("Be brief.")] },
        { role: "user", content: [{ type: "image" }, { type: "image" }, { type: "video" }, text("Why?")] },
      ],
      images: ["a", "b"],
      videos: [["c"]],
      rawPrompt: undefined,
    });
  });

  it("follows placeholders written in a text", () => {
    const { messages, images } = normaliseRequest({ prompt: "First <image>, then <image>.", images: ["a", "b"] });
    expect(messages).toEqual([{ role: "user", content: [{ type: "text", text: "First <image>, then <image>." }] }]);
    expect(images).toEqual(["a", "b"]);
    const raw = normaliseRequest({ prompt: "USER: <image> ASSISTANT:", template: "none", images: ["a"] });
    expect([raw.rawPrompt, raw.messages]).toEqual(["USER: <image> ASSISTANT:", []]);
  });

  it("orders pictures by their places, in place or given apart", () => {
    const here = { type: "image", image: "in place" } as const;
    const messages: Message[] = [
      { role: "user", content: [{ type: "image" }, here, { type: "text", text: "<image>" }] },
      { role: "user", content: [{ type: "video", frames: ["f"] }, { type: "video" }] },
    ];
    const { images, videos } = normaliseRequest({ messages, images: ["one", "two"], videos: [["g", "h"]] });
    expect(images).toEqual(["one", "in place", "two"]);
    expect(videos).toEqual([["f"], ["g", "h"]]);
  });

  it.each([
    [{}, /give either prompt or messages, got neither/],
    [{ prompt: "a", messages: [] }, /got both/],
    [{ messages: [] }, /at least one message/],
    [{ messages: [{ role: "user", content: "a" }], system: "b" }, /system goes with prompt/],
    [{ messages: [{ role: "user", content: "a" }], template: "none" }, /template "none" goes with prompt/],
    [{ messages: [{ role: "user", content: "a" }], images: ["x"] }, /got 0 placeholders and 1 image;/],
    [{ messages: [{ role: "user", content: [{ type: "image" }] }] }, /got 1 placeholder and 0 images/],
    [{ prompt: "<image> <image>", images: ["x"] }, /got 2 placeholders and 1 image;/],
    [{ prompt: "words", template: "none", images: ["x"] }, /got 0 placeholders and 1 image;/],
    [{ prompt: "a", images: "cat.jpg" }, /images must be an array, got string/],
    [{ prompt: "a", videos: [[]] }, /video 1 has no frames/],
    [{ messages: [{ content: "a" }] }, /messages\[0\] needs a role/],
    [{ messages: [{ role: "user", content: 5 }] }, /messages\[0\]\.content must be a string or an array/],
    [{ messages: [{ role: "user", content: [{ type: "sound" }] }] }, /content\[0\] must be a part of type/],
  ])("refuses %j", (request, message) => {
    expect(() => normaliseRequest(request as Request)).toThrow(PromptError);
    expect(() => normaliseRequest(request as Request)).toThrow(message);
  });
});

it("flattenMessages writes a placeholder and a line break for each picture", () => {
  const { messages } = normaliseRequest({ prompt: "Compare.", images: ["a", "b"] });
  expect(flattenMessages(messages)).toEqual([{ role: "user", content: "<image>\n<image>\nCompare." }]);
});
