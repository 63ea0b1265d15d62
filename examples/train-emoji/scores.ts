/** How right an answer is. */
import { colourNames } from "./colours.ts";
import type { Turn } from "./questions.ts";

/**
 * 0 to 1. A description counts when its first clause ("The picture shows a NAME") is right, keywords by the overlap of
 * both lists (Jaccard), everything else only when the text is the reference.
 */
export function score({ kind, answer }: Pick<Turn, "kind" | "answer">, text: string): number {
  if (kind === "describe") return Number(text.toLowerCase().includes(answer.split(",")[0].toLowerCase()));
  if (kind === "tags") return overlap(answer.split(", "), text.trim().split(", "));
  return Number(text.trim() === answer);
}

/** The overlap (Jaccard) of the colours that two answers name. */
export function colourOverlap(answer: string, text: string): number {
  const named = (words: string): string[] => words.match(new RegExp(colourNames.join("|"), "g")) ?? [];
  return overlap(named(answer), named(text));
}

function overlap(first: readonly string[], second: readonly string[]): number {
  const [a, b] = [new Set(first), new Set(second)];
  const both = [...a].filter((word) => b.has(word)).length;
  return both / Math.max(1, a.size + b.size - both);
}
