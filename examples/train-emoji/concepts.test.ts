import { describe, expect, it } from "vitest";
import { withArticle } from "./article.ts";
import { conceptName } from "./concepts.ts";
import { conceptNamed, testConcepts, testEmojis } from "./test-concepts.ts";

describe("concepts", () => {
  const name = (label: string, group = "people-body", subgroup = "person-role", labels: string[] = []): string =>
    conceptName({ label, group, subgroup }, new Set(labels));

  it("merges emoji that hardly differ", () => {
    expect(name("man cook", undefined, undefined, ["cook"])).toBe("cook");
    expect(name("woman running: facing right", undefined, "person-activity", ["person running"])).toBe("person running");
    expect(name("woman with veil", undefined, undefined, ["person with veil"])).toBe("person with veil");
    expect(name("men wrestling", undefined, "person-sport", ["people wrestling"])).toBe("people wrestling");
    expect(name("woman in lotus position", undefined, "person-resting")).toBe("person in lotus position");
    expect(name("old woman", undefined, "person")).toBe("older person");
    expect(name("man: beard", undefined, "person")).toBe("person with a beard");
    expect(name("woman: red hair", undefined, "person")).toBe("person with red hair");
    expect(name("person: bald", undefined, "person")).toBe("bald person");
    expect(name("family: man, woman, boy", undefined, "family")).toBe("family");
    expect(name("kiss: man, man", undefined, "family")).toBe("kissing couple");
    expect(name("women holding hands", undefined, "family")).toBe("people holding hands");
    expect(name("one-thirty", "travel-places", "time")).toBe("clock face");
    expect(name("Japanese \u201cvacancy\u201d button", "symbols", "alphanum")).toBe("Japanese button");
    expect(name("keycap: 3", "symbols", "keycap")).toBe("keycap 3");
    expect(name("black medium-small square", "symbols", "geometric")).toBe("black square");
    expect(name("large orange diamond", "symbols", "geometric")).toBe("orange diamond");
  });

  it("keeps apart what is drawn otherwise", () => {
    expect(name("woman dancing", undefined, "person-activity", ["person dancing"])).toBe("woman dancing");
    expect(name("stopwatch", "travel-places", "time")).toBe("stopwatch");
    expect(name("women\u2019s room", "symbols", "transport-sign")).toBe("women's room");
  });

  it("numbers concepts in the order of their first emoji and joins their keywords", () => {
    expect(testConcepts.map(({ id }) => id)).toEqual(testConcepts.map((_, i) => i));
    expect(conceptNamed("cook")).toMatchObject({
      phrase: "a cook",
      kind: "a person with a job or role",
      category: "people and body",
      tags: ["chef", "man", "woman"],
      canonical: "1F9D1-200D-1F373",
    });
    expect(testConcepts.flatMap(({ hexcodes }) => hexcodes)).toHaveLength(testEmojis.length);
  });

  it("knows whose mirror image means something else", () => {
    expect(["right arrow", "clock face", "dog face"].map((name) => conceptNamed(name).flippable)).toEqual([false, false, true]);
  });

  it("puts articles where English wants them", () => {
    const phrases = {
      "eggplant": "an eggplant",
      "unicorn": "a unicorn",
      "umbrella": "an umbrella",
      "red apple": "a red apple",
      "grapes": "grapes",
      "kiss mark": "a kiss mark",
      "hot dog": "a hot dog",
      "face with rolling eyes": "a face with rolling eyes",
      "eyes": "eyes",
      "bus": "a bus",
      "cactus": "a cactus",
      "popcorn": "popcorn",
      "Tokyo tower": "Tokyo tower",
      "OK button": "OK button",
      "8 ball": "8 ball",
      "two hearts": "two hearts",
      "ear with hearing aid": "an ear with hearing aid",
    };
    for (const [name, phrase] of Object.entries(phrases)) expect(withArticle(name)).toBe(phrase);
  });
});
