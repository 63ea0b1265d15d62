import { countPlaceholders } from "../../input/prompt.ts";
import { SampleError } from "./error.ts";
import type { SampleTurn } from "./sample.ts";
import { strip } from "./whitespace.ts";

/** What marks the place of a picture in a text. */
export const imagePlaceholder = "<image>";

/** The rules for where pictures stand in a turn. */
export const placements = ["front", "interleaved"] as const;

/**
 * "front", LLaVA-1.5's: every turn's first `<image>` goes in front of its text, on a line of its own, and further ones
 * of that turn are dropped. "interleaved", LLaVA-NeXT's: the same, but only for a turn with exactly one `<image>` that
 * does not begin with it; all others keep their text.
 */
export type Placement = (typeof placements)[number];

/** The turns with their placeholders where `rule` wants them (LLaVA's and LLaVA-NeXT's `preprocess_multimodal`). */
export function placeImages(turns: readonly SampleTurn[], rule: Placement): SampleTurn[] {
  return turns.map(({ from, value }) => {
    const count = countPlaceholders(value, imagePlaceholder);
    const moves = count > 0 && (rule === "front" || (count === 1 && !value.startsWith(imagePlaceholder)));
    if (!moves) return { from, value };
    const rest = strip(value.replaceAll(imagePlaceholder, ""));
    return { from, value: strip(`${imagePlaceholder}\n${rest}`) };
  });
}

/** @throws SampleError unless the placed turns have one placeholder for each of `images` pictures. */
export function checkPlaceholders(turns: readonly SampleTurn[], images: number, id: string): void {
  const found = turns.reduce((sum, { value }) => sum + countPlaceholders(value, imagePlaceholder), 0);
  if (found === images) return;
  const advice = found > images ? "add pictures or remove placeholders" : `add one ${imagePlaceholder} a picture`;
  throw new SampleError(
    id,
    "image",
    `expected one ${imagePlaceholder} for each of ${images} pictures, got ${found} once they are in place; ${advice}` +
      ' (placement "front" keeps one a turn)',
  );
}
