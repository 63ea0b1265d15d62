import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readEmojis } from "./concepts.ts";
import { loadDrawings } from "./drawings.ts";
import { EmojiDataError, Packages } from "./packages.ts";
import { testConcepts, testEmojis } from "./test-concepts.ts";
import { findSources, vendors } from "./vendors.ts";
import { fonts, loadWords } from "./words.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "emoji-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(path: string, content: unknown): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content instanceof Uint8Array ? content : JSON.stringify(content));
}

describe("packages", () => {
  it("give emoji without flags and skin tones", () => {
    put("emojibase-data/en/messages.json", { groups: [{ key: "food-drink", order: 4 }] });
    put("emojibase-data/meta/groups.json", { subgroups: { 33: "food-fruit" } });
    put("emojibase-data/en/data.json", [
      { hexcode: "1F34E", label: "red apple", group: 4, subgroup: 33, tags: ["apple"] },
      { hexcode: "1F34C", label: "banana", group: 4, subgroup: 33 },
      { hexcode: "1F3FB", label: "light skin tone", group: 2, subgroup: 0 },
      { hexcode: "1F1EB", label: "regional indicator F" },
    ]);
    expect(readEmojis(new Packages(folder))).toEqual([
      { hexcode: "1F34E", label: "red apple", group: "food-drink", subgroup: "food-fruit", tags: ["apple"] },
      { hexcode: "1F34C", label: "banana", group: "food-drink", subgroup: "food-fruit", tags: [] },
    ]);
  });

  it("give icons by code points, the first one an emoji, without variation selectors", () => {
    put("@iconify-json/noto/icons.json", {
      icons: { "red-apple": { body: "<a/>" }, "right": { body: "<r/>", width: 64, height: 32 } },
      aliases: { "apple-2": { parent: "red-apple" } },
      width: 128,
      height: 128,
    });
    put("@iconify-json/noto/chars.json", { "1f34e": "red-apple", "1f34e-fe0f": "apple-2", "27a1-fe0f": "right", "1f1eb": "flag" });
    const sources = findSources(new Packages(folder), "noto", testEmojis);
    expect(sources.map(({ hexcode, icon }) => [hexcode, icon])).toEqual([["1F34E", "red-apple"], ["27A1", "right"]]);
    expect(new TextDecoder().decode(sources[1].bytes())).toMatch(/viewBox="0 0 64 32" width="192" height="96"><r\/><\/svg>$/);
  });

  it("give icons by any of their emoji's names", () => {
    put("@iconify-json/fxemoji/icons.json", {
      icons: { grinningface: { body: "<g/>" }, porker: { body: "<p/>" }, unknown: { body: "<u/>" } },
    });
    put("@iconify-json/fxemoji/chars.json", {});
    for (const set of ["noto", "fluent-emoji-flat", "twemoji"]) put(`@iconify-json/${set}/chars.json`, {});
    put("emojibase-data/meta/unicode-names.json", {});
    for (const list of ["emojibase", "cldr", "joypixels", "github", "iamcal", "emojibase-legacy"]) {
      put(`emojibase-data/en/shortcodes/${list}.json`, { "1F437": ["pig", "porker"] });
    }
    const sources = findSources(new Packages(folder), "fxemoji", testEmojis);
    expect(sources.map(({ hexcode }) => hexcode)).toEqual(["1F600", "1F437"]);
  });

  it("say what is missing", () => {
    expect(() => new Packages(join(folder, "nowhere"))).toThrow(EmojiDataError);
    expect(() => new Packages(folder).json("emojibase-data/en/data.json")).toThrow(/emojibase-data\/en\/data\.json is missing/);
    expect(() => new Packages(folder).list("noto")).toThrow(/noto is missing/);
    expect(() => new Packages(folder).load("sharp")).toThrow(/sharp is missing/);
  });
});

describe("the cache", () => {
  const size = 2;

  function fillCache(): void {
    put("concepts.json", testConcepts);
    for (const { name, heldOut } of vendors) {
      const drawings = heldOut ? ["1F34C", "1F600"] : ["1F34C"];
      put(`${name}.json`, { size, drawings: drawings.map((hexcode) => ({ hexcode, icon: "icon", shares: [1] })) });
      put(`${name}.rgba`, new Uint8Array(size * size * 4 * drawings.length).fill(7));
      if (heldOut) put(`${name}.rgb`, new Uint8Array(72 * 72 * 3 * drawings.length).fill(9));
    }
  }

  it("gives drawings with their concepts, held-out ones in the order of the concepts", () => {
    fillCache();
    const { concepts, training, heldOut } = loadDrawings(folder);
    expect(concepts).toEqual(testConcepts);
    expect(training.map(({ vendor }) => vendor)).toEqual(vendors.filter(({ heldOut }) => !heldOut).map(({ name }) => name));
    expect(training[0]).toMatchObject({ hexcode: "1F34C", size, shares: [1], pixels: { length: 16 } });
    expect(training[0].concept).toBe(concepts.find(({ name }) => name === "banana"));
    expect(heldOut.openmoji.map(({ concept }) => concept.name)).toEqual(["grinning face", "banana"]);
    expect(heldOut.openmoji[0].natural).toHaveLength(72 * 72 * 3);
    expect(Object.keys(loadDrawings(folder, ["twemoji"]).heldOut)).toEqual(["twemoji"]);
  });

  it("says what is wrong with it", () => {
    expect(() => loadDrawings(folder)).toThrow(/concepts\.json; run "npm run data:emoji"/);
    fillCache();
    put("noto.rgba", new Uint8Array(15));
    expect(() => loadDrawings(folder)).toThrow(/noto\.rgba must have 16 bytes, has 15/);
    put("noto.json", { size, drawings: [{ hexcode: "1F1EB", icon: "flag", shares: [1] }] });
    put("noto.rgba", new Uint8Array(16));
    expect(() => loadDrawings(folder)).toThrow(/1F1EB/);
    expect(() => loadWords(folder)).toThrow(/words\.json; run "npm run data:emoji"/);
  });

  it("keeps the words of the held-out font apart", () => {
    put("words.json", fonts.map(({ name }, i) => ({ word: "stop", font: name, size: 10, width: i + 1, height: 2 })));
    put("words.alpha", Uint8Array.from({ length: 56 }, (_, i) => i));
    const { training, heldOut } = loadWords(folder);
    expect(training).toHaveLength(fonts.length - 1);
    expect(heldOut.map(({ font, alpha }) => [font, alpha[0], alpha.length])).toEqual([["lato-400", 42, 14]]);
  });
});
