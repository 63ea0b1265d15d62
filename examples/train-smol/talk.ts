/**
 * What the language model says before it learns anything: it is asked about things by name, and about other matters. Stage 2
 * repeats these answers, so that the model keeps its English, and says about what it sees what it would say about the word.
 */
import type { Llava } from "llava-webgpu";
import type { Concept } from "../train-emoji/concepts.ts";

/** What the model says about a thing. */
export interface Told {
  /** The thing. */
  readonly name: string;
  /** The question with its name, as it was asked: "What does a dog like to eat?" */
  readonly spoken: string;
  /** The same about what a picture shows: "What does it like to eat?" */
  readonly seen: string;
  readonly answer: string;
}

export interface Talk {
  readonly general: readonly { readonly question: string; readonly answer: string }[];
  readonly things: readonly Told[];
}

/** Matters that have nothing to do with pictures. */
export const generalQuestions = [
  "Hello! How are you today?", "What can you do?", "Tell me a short story about a river.", "How do I make a cup of tea?",
  "Why is the sky blue?", "What is a good name for a boat?", "Write two sentences about the sea.", "How can I sleep better?",
  "What should I pack for a trip to the mountains?", "Explain what a library is.", "Give me three tips for learning a language.",
  "What is the difference between a lake and a sea?", "Why do people like music?", "How does a bicycle stay upright?",
  "What is a kind thing to say to a friend?", "Write a short poem about rain.", "How do plants grow?", "What is a triangle?",
  "Why do we need sleep?", "How can I save water at home?", "What do you need to bake bread?", "Tell me about winter.",
  "What is a map for?", "How do I write a thank-you letter?", "What makes a good teacher?", "Say something nice about mornings.",
] as const;

/** Questions by group: with the thing's name, and about what is seen. */
const thingQuestions: readonly { readonly group?: string; readonly subgroup?: RegExp; readonly words: (thing: string) => string }[] = [
  { words: (thing) => `Tell me something about ${thing}.` },
  { subgroup: /^animal-/, words: (thing) => `What does ${thing} like to eat?` },
  { subgroup: /^animal-/, words: (thing) => `Where does ${thing} live?` },
  { group: "food-drink", words: (thing) => `How does ${thing} taste?` },
  { group: "objects", words: (thing) => `What is ${thing} used for?` },
  { group: "travel-places", words: (thing) => `Where can I find ${thing}?` },
];

/** Groups of things that there is something to say about; faces and signs are not among them. */
const groups: ReadonlySet<string> = new Set(["animals-nature", "food-drink", "travel-places", "activities", "objects"]);

/** All questions about some things. */
export function questionsAbout(concepts: readonly Concept[]): Omit<Told, "answer">[] {
  return concepts.filter(({ group }) => groups.has(group)).flatMap(({ name, phrase, group, subgroup }) =>
    thingQuestions
      .filter((question) => (question.group ?? group) === group && (question.subgroup?.test(subgroup) ?? true))
      .map(({ words }) => ({ name, spoken: words(phrase), seen: words("it") })),
  );
}

export interface TalkOptions {
  /** Things to ask about. */
  readonly concepts: readonly Concept[];
  /** Longest answer in tokens; one that is cut off ends with its last whole sentence. */
  readonly maxNewTokens: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, all: number) => void;
}

/** Asks everything once, greedily. Answers without a whole sentence are left out. */
export async function hearTalk(llava: Llava, { concepts, maxNewTokens, signal, onProgress }: TalkOptions): Promise<Talk> {
  const about = questionsAbout(concepts);
  const all = generalQuestions.length + about.length;
  let done = 0;
  const ask = async (prompt: string): Promise<string> => {
    const { text } = await llava.generate({ prompt }, { maxNewTokens, ...(signal ? { signal } : {}) });
    signal?.throwIfAborted();
    onProgress?.(++done, all);
    return wholeSentences(text);
  };
  const general: { question: string; answer: string }[] = [];
  for (const question of generalQuestions) general.push({ question, answer: await ask(question) });
  const things: Told[] = [];
  for (const question of about) things.push({ ...question, answer: await ask(question.spoken) });
  const said = ({ answer }: { readonly answer: string }): boolean => answer !== "";
  return { general: general.filter(said), things: things.filter(said) };
}

/** The text up to the end of its last whole sentence. */
export function wholeSentences(text: string): string {
  return /^.*[.!?]["')]*(?=\s|$)/s.exec(text.trim())?.[0] ?? "";
}
