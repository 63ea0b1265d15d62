/** The words of the questions and of the longer answers. */
import { mainColours } from "./colours.ts";
import type { Concept } from "./concepts.ts";

/** What is asked about: a concept, and the colours that its drawing shows. */
export interface Subject {
  readonly concept: Concept;
  /** Shares of the 11 colours. */
  readonly shares: readonly number[];
}

/** Questions that do not name anything. */
export const wordings = {
  name: [
    "What is this?", "What is it?", "What is shown in the picture?", "What do you see?", "Name this.", "What does the picture show?",
    "Which emoji is this?", "What is in this picture?",
  ],
  kind: ["What kind of thing is this?", "What kind of thing is it?", "What type of thing is this?", "What sort of thing is it?"],
  group: ["Which group does it belong to?", "Which category is this?", "What category does it belong to?"],
  colour: ["What is the main colour?", "What is the main color?", "What colour is it mostly?", "What color is it mostly?"],
  colours: [
    "What are the main colours?", "What are the main colors?", "What colours is it?", "What colors is it?", "Which colours do you see?",
  ],
  tags: ["What is it associated with?", "What words go with it?", "What does it make you think of?"],
  describe: ["Describe the picture.", "Describe this.", "Tell me about the picture.", "Describe what you see."],
  count: ["How many pictures are there?", "How many things are there?", "How many things do you see?", "Count the pictures."],
  odd: ["Which one does not belong?", "Which one is the odd one out?"],
  same: ["Are these the same thing?", "Do both pictures show the same thing?"],
  sameKind: ["Are these the same kind of thing?", "Do both show the same kind of thing?"],
  read: ["What does the sign say?", "What word is written?", "What is written there?", "Read the word."],
  beside: ["What is next to the word?", "What else is in the picture?"],
  whereWord: ["Where is the word?", "Where is the sign?"],
} as const satisfies Record<string, readonly string[]>;

/** Yes/no questions around a name, a kind or a colour. */
export const isNamed = (phrase: string): string[] => [`Is this ${phrase}?`, `Does the picture show ${phrase}?`, `Is it ${phrase}?`];
export const isOfKind = (kind: string): string[] => [`Is it ${kind}?`, `Is this ${kind}?`];
export const hasColour = (colour: string): string[] => [`Is there any ${colour} in it?`, `Is it ${colour}?`, `Do you see ${colour}?`];
export const isAmong = (phrase: string): string[] => [`Is there ${phrase}?`, `Do you see ${phrase}?`];

/** "red", "red and white", "red, blue and white". */
export function joined(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** The first three keywords that are single short words and no words of the name. */
export function associations({ name, tags }: Pick<Concept, "name" | "tags">): string[] {
  const own = new Set(name.toLowerCase().match(/[\p{L}\p{N}_]+/gu));
  return tags.filter((tag) => !own.has(tag.toLowerCase()) && tag.length < 14 && !tag.includes(" ")).slice(0, 3);
}

/** Three sentences: name and kind, colours, group. */
export function description({ concept, shares }: Subject): string {
  const { phrase, kind, category } = concept;
  return `The picture shows ${phrase}, ${kind}. It is mainly ${joined(mainColours(shares))}. It belongs to ${category}.`;
}

export const yesNo = (yes: boolean): "Yes" | "No" => (yes ? "Yes" : "No");
