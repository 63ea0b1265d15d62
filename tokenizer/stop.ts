import { TokenizerError } from "./error.ts";

/**
 * Ends a growing text at the first stop string.
 *
 * The text is read as if it came character by character: the stop string that is complete first counts, of several that
 * end together the one that starts first, and the text is cut where it starts. How the text is split into pieces
 * makes no difference. What could be the beginning of a stop string is held back.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = "";
  #stopped = false;

  /** @throws TokenizerError if a stop string is empty: every text would end before it begins */
  constructor(stops: readonly string[]) {
    if (stops.some((stop) => typeof stop !== "string" || stop === "")) {
      throw new TokenizerError(`stop: expected texts of at least one character, got ${JSON.stringify(stops)}`);
    }
    this.#stops = [...stops];
  }

  /** Takes more text; gives what cannot be part of a stop string any more, and whether one was found. */
  push(text: string): { text: string; stopped: boolean } {
    if (this.#stopped) return { text: "", stopped: true };
    const whole = this.#held + text;
    const cut = this.#find(whole);
    this.#stopped = cut !== undefined;
    const certain = cut ?? whole.length - this.#beginning(whole);
    this.#held = this.#stopped ? "" : whole.slice(certain);
    return { text: whole.slice(0, certain), stopped: this.#stopped };
  }

  /** Gives what was held back: no more text comes. */
  end(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }

  /** Where the stop string starts that is complete first. */
  #find(text: string): number | undefined {
    let first: { start: number; end: number } | undefined;
    for (const stop of this.#stops) {
      const start = text.indexOf(stop);
      if (start < 0) continue;
      const end = start + stop.length;
      if (!first || end < first.end || (end === first.end && start < first.start)) first = { start, end };
    }
    return first?.start;
  }

  /** Length of the longest end of the text that is the beginning of a stop string. */
  #beginning(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}
