/** The losses of a run as a picture. */
import { readFileSync, writeFileSync } from "node:fs";
import { drawCurve } from "llava-webgpu/train";

/** A line of a run's log; of a tower's losses, that of the concept is drawn. */
interface LogLine {
  readonly part: string;
  readonly step: number;
  readonly loss: number;
  readonly losses?: { readonly concept: number };
}

/** Draws the log of a run; parts stand one after another. A step that is there twice, since the run was stopped, counts once. */
export function drawLog(log: string, picture: string): void {
  const lines = readFileSync(log, "utf8").trim().split("\n").map((line) => JSON.parse(line) as LogLine);
  const stages: { step: number; name: string }[] = [];
  const training = new Map<number, number>();
  let last = 0;
  for (const { part, step, loss, losses } of lines) {
    if (stages.at(-1)?.name !== part) stages.push({ step: last, name: part });
    last = stages.at(-1)!.step + step;
    training.set(last, losses?.concept ?? loss);
  }
  const points = [...training].map(([step, loss]) => ({ step, loss })).sort((a, b) => a.step - b.step);
  writeFileSync(picture, drawCurve({ title: "Loss (of the tower: of the concept)", training: points, heldOut: [], stages }));
}
