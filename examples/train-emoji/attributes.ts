/** What can be done with a thing, or what it is in everyday terms: yes, no, or not for us to say. */
import type { Concept } from "./concepts.ts";

/** A property that questions ask for. */
export interface Attribute {
  /** About one picture. */
  readonly questions: readonly string[];
  /** About two pictures, both of which must have it. */
  readonly both: string;
  /** About two pictures, to choose one. */
  readonly which: string;
  readonly holds: (concept: Concept) => boolean;
  /** Certainly not; things of neither sort are not asked about. */
  readonly excludes: (concept: Concept) => boolean;
}

const foods = new Set(["food-fruit", "food-vegetable", "food-prepared", "food-asian", "food-marine", "food-sweet"]);

const groupIn = (...groups: string[]) => ({ group }: Concept): boolean => groups.includes(group);
const subgroupStarts = (...beginnings: string[]) => ({ subgroup }: Concept): boolean =>
  beginnings.some((beginning) => subgroup.startsWith(beginning));

const isPerson = subgroupStarts("person", "family");
const isFood = ({ subgroup }: Concept): boolean => foods.has(subgroup);

export const attributes: readonly Attribute[] = [
  {
    questions: ["Can you eat it?", "Is it something to eat?"],
    both: "Can you eat both?",
    which: "Which one can you eat?",
    holds: isFood,
    excludes: (concept) => !groupIn("food-drink", "animals-nature")(concept),
  },
  {
    questions: ["Is it an animal?", "Does it show an animal?"],
    both: "Do both show an animal?",
    which: "Which one is an animal?",
    holds: ({ subgroup }) => subgroup.startsWith("animal") || subgroup === "cat-face" || subgroup === "monkey-face",
    excludes: (concept) =>
      concept.group !== "people-body" &&
      !subgroupStarts("animal", "cat", "monkey", "zodiac", "face-costume", "game", "event", "book")(concept),
  },
  {
    questions: ["Can you wear it?", "Is it something to wear?"],
    both: "Can you wear both?",
    which: "Which one can you wear?",
    holds: ({ subgroup }) => subgroup === "clothing",
    excludes: groupIn("food-drink", "animals-nature", "smileys-emotion", "symbols", "travel-places"),
  },
  {
    questions: ["Can you drink it?"],
    both: "Can you drink both?",
    which: "Which one can you drink?",
    holds: ({ subgroup }) => subgroup === "drink",
    excludes: (concept) =>
      isFood(concept) ||
      groupIn("people-body", "animals-nature", "symbols", "objects", "activities", "smileys-emotion")(concept),
  },
  {
    questions: ["Is it a plant?", "Does it grow from the ground?"],
    both: "Do both show a plant?",
    which: "Which one is a plant?",
    holds: subgroupStarts("plant"),
    excludes: groupIn("people-body", "objects", "symbols", "smileys-emotion", "travel-places"),
  },
  {
    questions: ["Can you make music with it?"],
    both: "Can you make music with both?",
    which: "Which one can you make music with?",
    holds: ({ subgroup }) => subgroup === "musical-instrument",
    excludes: groupIn("food-drink", "animals-nature", "smileys-emotion", "travel-places", "symbols"),
  },
  {
    questions: ["Does it show a person?", "Is there a person?"],
    both: "Do both show a person?",
    which: "Which one shows a person?",
    holds: isPerson,
    excludes: groupIn("food-drink", "objects", "animals-nature"),
  },
];

/** Whether a concept has an attribute; undefined when people could differ. */
export function truth(attribute: Attribute, concept: Concept): boolean | undefined {
  if (attribute.holds(concept)) return true;
  return attribute.excludes(concept) ? false : undefined;
}
