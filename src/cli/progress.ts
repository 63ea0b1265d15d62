/** What a terminal shows until the answer begins. */
import type { LoadProgress } from "../llava-options.ts";
import { bytes } from "./format.ts";
import type { Notes } from "./notes.ts";

const WIDTH = 24;
/** Milliseconds between two drawings. */
const INTERVAL = 50;

/** One line of a terminal, drawn over itself: a bar while weights are read, else a few words. */
export class ProgressLine {
  #began = 0;
  #drawn = 0;

  constructor(private readonly notes: Notes) {}

  readonly update = ({ phase, done, total }: LoadProgress): void => {
    const now = performance.now();
    if (phase === "adapter") return this.show("looking for a GPU");
    this.#began ||= now;
    if (now - this.#drawn < INTERVAL && done < total) return;
    this.#drawn = now;
    const filled = total > 0 ? Math.round((WIDTH * done) / total) : 0;
    const bar = "█".repeat(filled) + "░".repeat(WIDTH - filled);
    const rate = now > this.#began ? `${bytes((done / (now - this.#began)) * 1000)}/s` : "";
    this.show(`loading ${bar} ${bytes(done)} of ${bytes(total)}  ${rate}`);
  };

  /** Takes the line away. */
  clear(): void {
    this.show("");
  }

  show(text: string): void {
    // Clipped: a line that wraps could not be drawn over.
    this.notes.write(`\r\x1b[2K${text.slice(0, (this.notes.columns ?? 80) - 1)}`);
  }
}
