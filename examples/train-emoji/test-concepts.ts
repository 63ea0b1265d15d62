/** A few concepts and painted drawings, so that tests need no packages. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeConcepts, type Concept, type Emoji } from "./concepts.ts";
import { type Drawing, EVALUATED } from "./drawings.ts";
import { defaultSizes } from "./model.ts";
import { vendors } from "./vendors.ts";
import { fonts, type WordMask } from "./words.ts";

type Row = readonly [hexcode: string, label: string, group: string, subgroup: string, tags?: readonly string[]];

const rows: readonly Row[] = [
  ["1F600", "grinning face", "smileys-emotion", "face-smiling", ["cheerful", "face", "grin", "happy"]],
  ["1F604", "grinning face with smiling eyes", "smileys-emotion", "face-smiling"],
  ["1F34E", "red apple", "food-drink", "food-fruit", ["apple", "diet", "food", "fruit", "health"]],
  ["1F34C", "banana", "food-drink", "food-fruit", ["fruit", "potassium"]],
  ["1F347", "grapes", "food-drink", "food-fruit", ["Dionysus", "fruit"]],
  ["1F346", "eggplant", "food-drink", "food-vegetable", ["aubergine"]],
  ["1F37A", "beer mug", "food-drink", "drink", ["bar", "beer"]],
  ["1F436", "dog face", "animals-nature", "animal-mammal", ["dog", "pet"]],
  ["1F431", "cat", "animals-nature", "animal-mammal", ["pet"]],
  ["1F437", "pig", "animals-nature", "animal-mammal", ["sow"]],
  ["1F339", "rose", "animals-nature", "plant-flower"],
  ["1F457", "dress", "objects", "clothing"],
  ["1F3BB", "violin", "objects", "musical-instrument"],
  ["1F528", "hammer", "objects", "tool"],
  ["27A1", "right arrow", "symbols", "arrow"],
  ["1F550", "one o\u2019clock", "travel-places", "time"],
  ["1F55C", "one-thirty", "travel-places", "time"],
  ["1F9D1-200D-1F373", "cook", "people-body", "person-role", ["chef"]],
  ["1F468-200D-1F373", "man cook", "people-body", "person-role", ["chef", "man"]],
  ["1F469-200D-1F373", "woman cook", "people-body", "person-role", ["chef", "woman"]],
];

export const testEmojis: readonly Emoji[] = rows.map(([hexcode, label, group, subgroup, tags = []]) => {
  return { hexcode, label, group, subgroup, tags };
});

export const testConcepts: readonly Concept[] = makeConcepts(testEmojis);

export const conceptNamed = (name: string): Concept => testConcepts.find((concept) => concept.name === name)!;

const paints: readonly (readonly [number, number, number])[] = [[220, 30, 30], [40, 80, 220], [40, 170, 60], [240, 210, 40]];

/** A disc of one colour with the shares that belong to it, in two vendors' versions of each concept. */
export const testDrawings: readonly Drawing[] = ["noto", "fluent-emoji"].flatMap((vendor, v) =>
  testConcepts.map((concept): Drawing => {
    const size = 96;
    const paint = paints[concept.id % 4];
    const pixels = new Uint8Array(size * size * 4);
    for (let i = 0; i < size * size; i++) {
      const inside = Math.hypot((i % size) - 47.5, Math.floor(i / size) - 47.5) < 46 - 4 * v;
      if (inside) pixels.set([...paint, 255], 4 * i);
    }
    const shares = Array.from({ length: 11 }, (_, i) => Number(i === [0, 4, 3, 2][concept.id % 4]));
    return { vendor, concept, hexcode: concept.canonical, shares, size, pixels };
  }),
);

/** A word as a black box. */
export const testWord: WordMask = { word: "stop", font: "test", size: 10, width: 20, height: 10, alpha: new Uint8Array(200).fill(255) };

/** The default model, with tiles of 36 px and one narrow layer of each sort. */
export const testSizes = {
  ...defaultSizes,
  vision: { ...defaultSizes.vision, imageSize: 36, width: 32, layers: 1, heads: 1, inner: 32 },
  text: { ...defaultSizes.text, width: 32, layers: 1, heads: 1, keyValueHeads: 1, inner: 32 },
};

/** With tags that all share: the tower learns a tag from three concepts on. */
export const taggedConcepts: readonly Concept[] = testConcepts.map((concept) => ({ ...concept, tags: [...concept.tags, "drawn", "shown"] }));

/** A cache folder with these drawings, as `renderDrawings` and `renderWords` write it; the held-out ones are white. */
export function writeTestCache(cache: string): void {
  mkdirSync(cache);
  writeFileSync(join(cache, "concepts.json"), JSON.stringify(taggedConcepts));
  for (const { name, heldOut } of vendors) {
    const drawings = heldOut ? testDrawings.slice(0, testConcepts.length) : testDrawings.filter(({ vendor }) => vendor === name);
    const index = { size: 96, drawings: drawings.map(({ hexcode, shares }) => ({ hexcode, icon: hexcode, shares })) };
    writeFileSync(join(cache, `${name}.json`), JSON.stringify(index));
    writeFileSync(join(cache, `${name}.rgba`), Buffer.concat(drawings.map(({ pixels }) => pixels)));
    if (heldOut) writeFileSync(join(cache, `${name}.rgb`), Buffer.alloc(drawings.length * EVALUATED * EVALUATED * 3, 255));
  }
  const { alpha, ...row } = testWord;
  const asked = fonts.find(({ heldOut }) => heldOut)!.name;
  writeFileSync(join(cache, "words.json"), JSON.stringify([row, { ...row, font: asked }]));
  writeFileSync(join(cache, "words.alpha"), Buffer.concat([alpha, alpha]));
}
