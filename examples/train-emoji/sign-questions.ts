/** Questions and answers about a sign with a drawing beside it. */
import type { Random } from "llava-webgpu/train";
import type { Concept } from "./concepts.ts";
import { layouts } from "./layouts.ts";
import { pick } from "./lots.ts";
import type { Turn } from "./questions.ts";
import type { Sign } from "./sign.ts";
import { wordings } from "./wordings.ts";

/** The kinds, and how often each is asked in training. */
export const signKinds = { read: 0.5, where_word: 0.12, beside: 0.2, where: 0.1, pos_kind: 0.08 } as const;

export type SignKind = keyof typeof signKinds;

/** A question of one kind. */
export function askSign({ word, corner, drawingCorner }: Omit<Sign, "picture">, concept: Concept, kind: SignKind, random: Random): Turn {
  const turn = (wordings: readonly string[], answer: string): Turn => ({ kind, question: pick(random, wordings), answer });
  const { places } = layouts["2x2"];
  switch (kind) {
    case "read":
      return turn(wordings.read, word);
    case "where_word":
      return turn(wordings.whereWord, places[corner]);
    case "beside":
      return turn(wordings.beside, concept.name);
    case "where":
      return turn([`Where is the ${concept.name}?`], places[drawingCorner]);
    case "pos_kind":
      return turn([`What kind of thing is ${places[drawingCorner]}?`], concept.kind);
  }
}
