import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { initialState, isAnswering, type PageEvent, reduce, type State } from "../../examples/playground/state.ts";
import {
  adapterLabel, answerNote, duration, modelStatus, sightCaption, timingRows,
} from "../../examples/playground/words.ts";

const model = { name: "emoji-llava", kind: "llava", adapter: "google swiftshader", software: true };
const picture = { name: "cat.png", source: new Blob(["cat"]), url: "blob:cat" };
const sight = { bytes: new Uint8Array(12), tiles: 1, height: 2, width: 2, imageTokens: 1 };
const timings = { load: 1234, vision: 87.4, first: 999.4, decode: 500, promptTokens: 49, tokens: 6 };

const after = (...events: PageEvent[]): State => events.reduce(reduce, initialState);

describe("the page's state", () => {
  it("follows a model, a picture and a question", () => {
    const opened = after({ type: "model opening", name: "emoji-llava" }, { type: "model read", share: 0.5 });
    expect(opened.loading).toEqual({ name: "emoji-llava", share: 0.5 });
    const events: PageEvent[] = [
      { type: "model opening", name: "emoji-llava" },
      { type: "model opened", model },
      { type: "picture chosen", picture },
      { type: "picture seen", sight },
      { type: "asked", question: "What is this?" },
      { type: "text", text: "red" },
      { type: "text", text: " apple" },
    ];
    expect(isAnswering(after(...events.slice(0, 5)))).toBe(true);
    const streaming = after(...events);
    expect(streaming.answer).toEqual({ question: "What is this?", text: "red apple", status: "streaming" });
    expect(isAnswering(streaming)).toBe(true);
    const done = reduce(streaming, { type: "answered", status: "done", timings });
    expect(isAnswering(done)).toBe(false);
    expect(done).toMatchObject({ model, picture, sight, answer: { text: "red apple", status: "done", timings } });
  });

  it("keeps the model in use when another cannot be opened", () => {
    const state = after(
      { type: "model opened", model },
      { type: "model opening", name: "broken" },
      { type: "model refused", error: "broken has no file config.json." },
    );
    expect(state).toEqual({ model, error: "broken has no file config.json." });
    expect(modelStatus(state)).toBe("(llava) is ready");
  });

  it("drops a file that is no picture, and its error with the next picture", () => {
    const refused = after({ type: "picture chosen", picture }, { type: "picture refused", error: "not a picture" });
    expect(refused.picture).toBeUndefined();
    expect(refused.error).toBe("not a picture");
    expect(reduce(refused, { type: "picture chosen", picture }).error).toBeUndefined();
  });

  it("forgets the tiles of another model or picture", () => {
    const seen = after({ type: "picture chosen", picture }, { type: "picture seen", sight });
    const events: PageEvent[] = [
      { type: "model opened", model }, { type: "picture chosen", picture }, { type: "picture removed" },
    ];
    for (const event of events) {
      expect(reduce(seen, event).sight).toBeUndefined();
    }
  });

  it("ends an answer with an error, and only an answer's own", () => {
    const asked = after({ type: "asked", question: "What is this?" });
    expect(reduce(asked, { type: "answer failed", error: "device lost" })).toEqual({ error: "device lost" });
    expect(isAnswering(reduce(asked, { type: "trouble", error: "the folder cannot be read" }))).toBe(true);
  });

  it("always has words for itself, whatever happens", () => {
    const event = fc.constantFrom<PageEvent>(
      { type: "model opening", name: "a" }, { type: "model read", share: 0.4 }, { type: "model opened", model },
      { type: "model refused", error: "e" }, { type: "picture chosen", picture }, { type: "picture seen", sight },
      { type: "picture refused", error: "e" }, { type: "picture removed" }, { type: "asked", question: "q" },
      { type: "text", text: "t" }, { type: "answered", status: "cut", timings },
      { type: "answered", status: "stopped" }, { type: "answer failed", error: "e" }, { type: "trouble", error: "e" },
    );
    fc.assert(fc.property(fc.array(event, { maxLength: 20 }), (events) => {
      const state = after(...events);
      const words = [modelStatus(state), sightCaption(state), answerNote(state.answer, state.loading !== undefined)];
      expect(words.join(" ")).not.toMatch(/undefined|NaN|null/);
      expect(isAnswering(state)).toBe(["waiting", "streaming"].includes(state.answer?.status ?? ""));
    }), { numRuns: 300, seed: 7 });
  });
});

describe("the page's words", () => {
  it("give times in milliseconds below a second", () => {
    expect([0, 87.4, 999.4, 1000, 61234].map(duration)).toEqual(["0 ms", "87 ms", "999 ms", "1.00 s", "61.23 s"]);
  });

  it("give the speed of the tokens after the first", () => {
    expect(Object.fromEntries(timingRows(timings))).toEqual({
      "Load": "1.23 s", "Vision": "87 ms", "First token": "999 ms",
      "Speed": "10.0 tokens/s", "Prompt": "49 tokens", "Answer": "6 tokens",
    });
    expect(Object.fromEntries(timingRows({ ...timings, tokens: 1, decode: 0 }))).toMatchObject({
      "Speed": "none to measure", "Answer": "1 token",
    });
  });

  it("say how a picture was cut", () => {
    expect(sightCaption({ picture, model, sight })).toBe("The picture as 2 × 2 pixels; 1 image token in the prompt.");
    const cut = { tiles: 3, width: 336, height: 336, grid: [1, 2], resolution: [336, 672], imageTokens: 1750 } as const;
    const tiled = { ...sight, ...cut };
    expect(sightCaption({ picture, model, sight: tiled })).toBe(
      "AnyRes: a base tile with the whole picture, and 1 row of 2 tiles cut from 672 × 336 pixels: "
        + "3 tiles of 336 × 336; 1750 image tokens in the prompt.",
    );
  });

  it("name an adapter by more than its vendor", () => {
    expect(adapterLabel({ name: "google", vendor: "google", architecture: "swiftshader" })).toBe("google swiftshader");
    expect(adapterLabel({ name: "NVIDIA H100", vendor: "nvidia", architecture: "hopper" })).toBe("NVIDIA H100");
    expect(adapterLabel({ name: "apple", vendor: "apple", architecture: "" })).toBe("apple");
  });

  it("explain an answer that is not one", () => {
    expect(answerNote({ question: "q", text: "", status: "done" }, false)).toBe("The model ended its answer at once.");
    expect(answerNote({ question: "q", text: "yes", status: "done" }, false)).toBe("");
    expect(answerNote({ question: "q", text: "", status: "waiting" }, true)).toBe("Waiting for the model.");
  });
});
