/**
 * The 1,393 concepts that the model tells apart: emojibase's emoji without flags, merged where their drawings hardly differ
 * (men and women doing the same thing, families, clock faces, squares by size).
 */
import { withArticle } from "./article.ts";
import type { Packages } from "./packages.ts";
import { groupPhrases, kindPhrases } from "./phrases.ts";

/** An emoji as emojibase lists it. */
export interface Emoji {
  /** Code points, as "1F468-200D-1F680". */
  readonly hexcode: string;
  readonly label: string;
  /** Key of the group, as "food-drink". */
  readonly group: string;
  /** Key of the subgroup, as "food-fruit". */
  readonly subgroup: string;
  /** Keywords in alphabetical order. */
  readonly tags: readonly string[];
}

/** One thing to recognise and to talk about. */
export interface Concept {
  /** Place in the list, and class number. */
  readonly id: number;
  readonly name: string;
  /** The name with its article, as "an eggplant". */
  readonly phrase: string;
  readonly group: string;
  readonly subgroup: string;
  /** The subgroup in words, as "a vegetable". */
  readonly kind: string;
  /** The group in words, as "food and drink". */
  readonly category: string;
  /** Keywords of all its emoji. */
  readonly tags: readonly string[];
  /** The emoji merged into it. */
  readonly hexcodes: readonly string[];
  /** The emoji that stands for it in evaluations. */
  readonly canonical: string;
  /** Whether its mirror image means the same. */
  readonly flippable: boolean;
}

const skippedGroups = new Set([2, 9]); // skin tones and hair, flags

/** The emoji of the package emojibase-data, without flags and skin tones. */
export function readEmojis(packages: Packages): Emoji[] {
  interface Row {
    hexcode: string;
    label: string;
    group?: number;
    subgroup?: number;
    tags?: string[];
  }
  const { groups } = packages.json<{ groups: { key: string; order: number }[] }>("emojibase-data/en/messages.json");
  const { subgroups } = packages.json<{ subgroups: Record<number, string> }>("emojibase-data/meta/groups.json");
  const groupKeys = new Map(groups.map(({ key, order }) => [order, key]));
  return packages.json<Row[]>("emojibase-data/en/data.json")
    .filter(({ group }) => group !== undefined && !skippedGroups.has(group))
    .map(({ hexcode, label, group, subgroup, tags = [] }) => {
      return { hexcode, label, group: groupKeys.get(group!)!, subgroup: subgroups[subgroup!], tags };
    });
}

/** Merges emoji into concepts, numbered in the order of their first emoji. */
export function makeConcepts(emojis: readonly Emoji[]): Concept[] {
  const labels = new Set(emojis.map(({ label }) => label));
  const members = new Map<string, Emoji[]>();
  for (const emoji of emojis) {
    const name = conceptName(emoji, labels);
    const list = members.get(name);
    if (list) list.push(emoji);
    else members.set(name, [emoji]);
  }
  return Array.from(members, ([name, list], id): Concept => {
    const namesake = list.find(({ label }) => label === name);
    const { hexcode, subgroup } = namesake ?? list[0];
    const group = list[0].group;
    return {
      id,
      name,
      phrase: withArticle(name),
      group,
      subgroup,
      kind: kindPhrases[subgroup],
      category: groupPhrases[group],
      tags: [...new Set(list.flatMap(({ tags }) => tags))],
      hexcodes: list.map((emoji) => emoji.hexcode),
      canonical: hexcode,
      flippable: group !== "symbols" && !/^hand|^time$/.test(subgroup) && !oriented.test(name),
    };
  });
}

/** Names of things with a side or with writing on them. */
const oriented = /\b(left|right|quarter|crescent|gibbous|1st|2nd|3rd|calendar|keyboard|dvd|hundred|newspaper|arrow|chart|zzz)/i;

/** Rules that need no more than the label: what it matches, and the concept's name. */
const renamed: readonly (readonly [RegExp, string])[] = [
  [/^(?:man|woman|person): bald$/, "bald person"],
  [/^(?:man|woman|person): beard$/, "person with a beard"],
  [/^(?:man|woman|person): (.*)$/, "person with $1"],
  [/^Japanese ".*$/, "Japanese button"],
  [/^keycap: /, "keycap "],
  [/^(black|white) (?:large|medium|medium-small|small) square$/, "$1 square"],
  [/^(?:large|small) (orange|blue) diamond$/, "$1 diamond"],
];

const numbered = /^(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b/;

/** People of one gender whose concept has a name of its own, and those who stay apart because they are drawn otherwise. */
const people: Readonly<Record<string, string>> = {
  "old man": "older person",
  "old woman": "older person",
  "merman": "merperson",
  "mermaid": "merperson",
  "deaf man": "deaf person",
  "deaf woman": "deaf person",
  "woman dancing": "woman dancing",
  "man dancing": "man dancing",
  "woman with headscarf": "woman with headscarf",
};

/** The name under which an emoji is merged; `labels` are those of all emoji. */
export function conceptName(
  { label, group, subgroup }: Pick<Emoji, "label" | "group" | "subgroup">,
  labels: ReadonlySet<string>,
): string {
  const plain = label.replaceAll("\u2019", "'").replace(/[\u201c\u201d]/g, '"').replace(": facing right", "");
  if (subgroup === "family") {
    if (plain.startsWith("family")) return "family";
    if (plain.startsWith("kiss")) return "kissing couple";
    return plain.startsWith("couple with heart") ? "couple with heart" : "people holding hands";
  }
  if (subgroup === "time" && numbered.test(plain)) return "clock face";
  const rule = renamed.find(([pattern]) => pattern.test(plain));
  if (rule) return plain.replace(...rule);
  return group === "people-body" ? withoutGender(plain, labels) : plain;
}

function withoutGender(label: string, labels: ReadonlySet<string>): string {
  if (Object.hasOwn(people, label)) return people[label];
  const [, who, doing] = /^(man|woman|men|women) (.*)$/.exec(label) ?? [];
  if (!who) return label;
  const neutral = [`person ${doing}`, doing, `people ${doing}`].find((name) => labels.has(name));
  return neutral ?? (who === "man" || who === "woman" ? `person ${doing}` : label);
}
