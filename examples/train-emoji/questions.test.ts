import { describe, expect, it } from "vitest";
import { Random } from "llava-webgpu/train";
import { attributes, truth } from "./attributes.ts";
import { askCollage, type CollageKind, collageKinds, oddOneOut } from "./collage-questions.ts";
import type { Concept } from "./concepts.ts";
import { DialogueMaker, exampleKinds } from "./dialogue.ts";
import { askPair, type PairKind, pairKinds } from "./pair-questions.ts";
import { Questions, type SingleKind, singleKinds, type Turn } from "./questions.ts";
import { colourOverlap, score } from "./scores.ts";
import { askSign, type SignKind, signKinds } from "./sign-questions.ts";
import { conceptNamed, testConcepts, testDrawings, testWord } from "./test-concepts.ts";
import { associations, description } from "./wordings.ts";

const questions = new Questions(testConcepts);
const shares = [0.7, 0, 0.05, 0.2, 0, 0, 0, 0.05, 0, 0, 0];
const apple = { concept: conceptNamed("red apple"), shares };

/** All turns that a few hundred seeds give. */
function many(ask: (random: Random) => Turn | undefined): Turn[] {
  return Array.from({ length: 400 }, (_, seed) => ask(new Random(seed))).filter((turn) => turn !== undefined);
}
const answers = (turns: readonly Turn[]): Set<string> => new Set(turns.map(({ answer }) => answer));
const about = (kind: SingleKind, subject = apple): Turn[] => many((random) => questions.about(subject, kind, random));

describe("questions about one drawing", () => {
  it("have one answer where nothing is chosen", () => {
    const expected: Partial<Record<SingleKind, string>> = {
      name: "red apple", kind: "a fruit", group: "food and drink", colour: "red", colours: "red and green",
      tags: "diet, food, fruit", count: "1",
      describe: "The picture shows a red apple, a fruit. It is mainly red and green. It belongs to food and drink.",
    };
    for (const [kind, answer] of Object.entries(expected)) expect(answers(about(kind as SingleKind))).toEqual(new Set([answer]));
  });

  it("are answered truthfully with yes and no, about as often", () => {
    const truths: Partial<Record<SingleKind, RegExp>> = {
      yn_name: /a red apple\?/, yn_kind: /a fruit\?/, yn_colour: /(red|green)\b/, yn_attr: /eat/,
    };
    for (const [kind, isTrue] of Object.entries(truths)) {
      const turns = about(kind as SingleKind);
      for (const { question, answer } of turns) expect([question, answer]).toEqual([question, isTrue.test(question) ? "Yes" : "No"]);
      const yes = turns.filter(({ answer }) => answer === "Yes").length / turns.length;
      expect(yes).toBeGreaterThan(0.4);
      expect(yes).toBeLessThan(kind === "yn_attr" ? 0.95 : 0.6);
    }
  });

  it("deny names of the same subgroup as often as others", () => {
    const denied = about("yn_name").filter(({ answer }) => answer === "No");
    const near = denied.filter(({ question }) => /banana|grapes/.test(question)).length / denied.length;
    expect(Math.abs(near - 0.5)).toBeLessThan(0.1);
  });

  it("do not ask for colours of a share between absent and shown", () => {
    for (const { question } of about("yn_colour")) expect(question).not.toMatch(/yellow|brown/);
  });

  it("are undefined when the drawing gives none", () => {
    expect(about("tags", { concept: conceptNamed("violin"), shares })).toEqual([]);
  });

  it("leave doubtful properties alone", () => {
    const [eat, animal] = attributes;
    expect(truth(eat, conceptNamed("dog face"))).toBeUndefined();
    expect(truth(eat, conceptNamed("hammer"))).toBe(false);
    expect(truth(animal, conceptNamed("dog face"))).toBe(true);
    expect(truth(animal, conceptNamed("cook"))).toBeUndefined();
  });

  it("name up to three short keywords that are not in the name", () => {
    const tags = ["Apple", "two words", "fourteenletter", "a", "b", "c", "d"];
    expect(associations({ name: "red apple", tags })).toEqual(["a", "b", "c"]);
  });

  it("describe with articles", () => {
    expect(description({ concept: conceptNamed("grapes"), shares })).toMatch(/^The picture shows grapes, a fruit\./);
  });
});

describe("questions about several drawings", () => {
  const concepts = ["dog face", "red apple", "violin"].map(conceptNamed);
  const ask = (kind: CollageKind, list: readonly Concept[] = concepts, layout: "2x2" | "3x2" = "2x2", cells = [0, 1, 3]): Turn[] =>
    many((random) => askCollage(questions, { concepts: list, layout, cells }, kind, random));

  it("are answered by what lies in the cell", () => {
    const places = {
      "in the top left": "dog face",
      "in the top right": "red apple",
      "in the bottom left": "nothing",
      "in the bottom right": "violin",
    };
    for (const [place, name] of Object.entries(places)) {
      const turns = ask("pos_name").filter(({ question }) => question === `What is ${place}?`);
      expect(answers(turns)).toEqual(new Set([name]));
    }
    expect(answers(ask("where").filter(({ question }) => question === "Where is the violin?"))).toEqual(new Set(["in the bottom right"]));
    expect(answers(ask("pos_kind").filter(({ question }) => question.endsWith("in the top right?")))).toEqual(new Set(["a fruit"]));
    expect(answers(ask("count"))).toEqual(new Set(["3"]));
  });

  it("deny only what is of another subgroup", () => {
    for (const { question, answer } of ask("among")) {
      expect(answer).toBe(/(dog face|red apple|violin)\?/.test(question) ? "Yes" : "No");
      expect(question).not.toMatch(/banana|cat|pig|grapes/);
    }
  });

  it("do not ask for places where cells have no names, or for one of two equal things", () => {
    expect(ask("pos_name", concepts, "3x2")).toEqual([]);
    expect(ask("where", [concepts[0], concepts[0]], "2x2", [0, 1])).toEqual([]);
  });

  it("find the odd one out", () => {
    const four = ["dog face", "cat", "hammer", "pig"].map(conceptNamed);
    expect(oddOneOut(four)).toBe(2);
    expect(oddOneOut(concepts)).toBe(-1);
    expect(answers(ask("odd", four, "2x2", [0, 1, 2, 3]))).toEqual(new Set(["in the bottom left"]));
  });

  it("compare two pictures", () => {
    const pair = (kind: PairKind, first: string, second: string): Set<string> =>
      answers(many((random) => askPair([conceptNamed(first), conceptNamed(second)], kind, random)));
    expect(pair("same", "cat", "cat")).toEqual(new Set(["Yes"]));
    expect(pair("same", "cat", "pig")).toEqual(new Set(["No"]));
    expect(pair("same_kind", "cat", "pig")).toEqual(new Set(["Yes"]));
    expect(pair("both", "cat", "pig")).toEqual(new Set(["Yes"]));
    expect(pair("which", "hammer", "banana")).toEqual(new Set(["the second one"]));
    expect(pair("which", "grapes", "banana")).toEqual(new Set(["both"]));
    expect(pair("both", "hammer", "right arrow")).toEqual(new Set());
    expect(pair("nth_name", "cat", "pig")).toEqual(new Set(["cat", "pig"]));
  });

  it("read signs", () => {
    const sign = { word: "STOP", corner: 0, drawingCorner: 3 };
    const expected: Record<SignKind, string> = {
      read: "STOP", where_word: "in the top left", beside: "cat", where: "in the bottom right", pos_kind: "a mammal",
    };
    for (const kind of Object.keys(signKinds) as SignKind[]) {
      expect(answers(many((random) => askSign(sign, conceptNamed("cat"), kind, random)))).toEqual(new Set([expected[kind]]));
    }
  });
});

describe("dialogues", () => {
  const maker = new DialogueMaker({ concepts: testConcepts, drawings: testDrawings, words: [testWord], tile: 24 + 8 });
  const kinds = new Set([singleKinds, collageKinds, pairKinds, signKinds].flatMap((each): string[] => Object.keys(each)));

  it.each(exampleKinds)("of sort %s have pictures of the right size and questions asked once", (kind) => {
    const random = new Random(9);
    for (let i = 0; i < 60; i++) {
      const { images, turns } = maker.next(random, kind);
      expect(images).toHaveLength(kind === "pair" || kind === "largePair" ? 2 : 1);
      for (const { width, height, data } of images) {
        const small = ["name", "single", "quiz", "pair", "word"].includes(kind);
        expect(Math.max(width, height)).toBe(small ? 32 : 64);
        if (kind === "large" || kind === "largePair") expect(Math.min(width, height)).toBeGreaterThanOrEqual(0.6 * 64 - 1);
        else expect(width).toBe(height);
        expect(data).toHaveLength(width * height * 3);
      }
      expect(new Set(turns.map(({ question }) => question)).size).toBe(turns.length);
      expect(turns.length).toBeGreaterThan(0);
      expect(turns.length).toBeLessThanOrEqual(13);
      if (kind === "name") expect(turns.map((turn) => turn.kind)).toEqual(["name"]);
      for (const turn of turns) {
        expect(kinds).toContain(turn.kind);
        expect(turn.answer).not.toBe("");
      }
    }
  });

  it("mostly begin with the name when they are about one drawing", () => {
    const random = new Random(4);
    const first = Array.from({ length: 400 }, () => maker.next(random, "single").turns[0].kind);
    const share = first.filter((kind) => kind === "name").length / first.length;
    expect(share).toBeGreaterThan(0.7);
    expect(share).toBeLessThan(0.95);
  });

  it("come again from the same seed", () => {
    expect(maker.next(new Random(7))).toEqual(maker.next(new Random(7)));
  });
});

describe("scores", () => {
  it("want the reference, part of it, or an overlap", () => {
    expect(score({ kind: "name", answer: "cat" }, " cat ")).toBe(1);
    expect(score({ kind: "name", answer: "cat" }, "a cat")).toBe(0);
    expect(score({ kind: "describe", answer: "The picture shows a cat, a mammal. It is" }, "The picture shows a cat, a bird.")).toBe(1);
    expect(score({ kind: "tags", answer: "a, b, c" }, "b, c, d")).toBe(0.5);
    expect(colourOverlap("red and white", "white")).toBe(0.5);
  });
});
