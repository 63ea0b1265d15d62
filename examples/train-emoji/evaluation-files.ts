/** Evaluation sets as files: PNG pictures and one line of JSON a question. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "fast-png";
import type { EvaluationItem } from "./held-out.ts";

/** Writes `eval.jsonl` and `images/NNNNN.png`; a question about two pictures lists both in `images`. */
export function writeEvaluation(folder: string, items: readonly EvaluationItem[]): void {
  mkdirSync(join(folder, "images"), { recursive: true });
  let written = 0;
  const lines = items.map(({ images, kind, question, answer, shows, set, layout, cells }, id) => {
    const files = images.map(({ width, height, data }) => {
      const file = `images/${`${written++}`.padStart(5, "0")}.png`;
      writeFileSync(join(folder, file), encode({ width, height, data, channels: 3 }));
      return file;
    });
    const picture = files.length > 1 ? { images: files } : { image: files[0] };
    return JSON.stringify({ id, ...picture, question, answer, kind, shows, set, layout, cells });
  });
  writeFileSync(join(folder, "eval.jsonl"), `${lines.join("\n")}\n`);
}
