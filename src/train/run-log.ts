/** What a run leaves behind beside weights: a log in JSON lines and the loss curve. */
import { appendText, createFile, fileExists, openFile } from "#files";
import { drawCurve } from "./curve.ts";
import type { Evaluation } from "./evaluate.ts";
import type { StepResult } from "./trainer.ts";

/** One line of the log: a step, an evaluation, or the error that ended the run. */
export interface LogLine extends Partial<StepResult> {
  /** Index of the stage, and steps of it that are done. */
  readonly stage: number;
  readonly step: number;
  readonly evaluation?: Evaluation;
  readonly error?: string;
}

/** A stage as the curve shows it. */
interface LoggedStage {
  readonly name: string;
  readonly steps: number;
}

export class RunLog {
  #lines: LogLine[] | undefined;

  constructor(
    private readonly paths: { readonly log: string; readonly curve: string },
    private readonly title: string,
    private readonly stages: readonly LoggedStage[],
  ) {}

  /**
   * Begins, unless that is done, with the lines of an earlier run up to a step. What is evaluated at this step may not have
   * been before that run ended, so it is evaluated again.
   *
   * @param from where the run goes on; undefined for a new one
   */
  async start(from: { readonly stage: number; readonly step: number } | undefined): Promise<void> {
    if (this.#lines) return;
    const isKept = ({ stage, step, evaluation, error }: LogLine) =>
      error === undefined && (stage < from!.stage || (stage === from!.stage && (step < from!.step || (step === from!.step && !evaluation))));
    this.#lines = from && (await fileExists(this.paths.log)) ? (await readLines(this.paths.log)).filter(isKept) : [];
    await writeText(this.paths.log, this.#lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }

  async add(line: LogLine): Promise<void> {
    (this.#lines ??= []).push(line);
    await appendText(this.paths.log, `${JSON.stringify(line)}\n`);
  }

  /** Writes the curve of all lines so far. */
  async draw(): Promise<void> {
    const before = (stage: number) => this.stages.slice(0, stage).reduce((sum, { steps }) => sum + steps, 0);
    const at = ({ stage, step }: LogLine) => before(stage) + step;
    const lines = this.#lines ?? [];
    const svg = drawCurve({
      title: this.title,
      training: lines.flatMap((line) => (line.loss === undefined ? [] : [{ step: at(line), loss: line.loss }])),
      heldOut: lines.flatMap((line) => (line.evaluation ? [{ step: at(line), loss: line.evaluation.loss }] : [])),
      stages: this.stages.map(({ name }, i) => ({ step: before(i), name })),
    });
    await writeText(this.paths.curve, svg);
  }
}

/** The whole lines of a log; a process that was killed may have left half a line. */
async function readLines(path: string): Promise<LogLine[]> {
  const file = await openFile(path);
  const bytes = await file.read(0, file.size).finally(() => file.close());
  return new TextDecoder().decode(bytes).split("\n").flatMap((line) => {
    try {
      return [JSON.parse(line) as LogLine];
    } catch {
      return [];
    }
  });
}

async function writeText(path: string, text: string): Promise<void> {
  const sink = await createFile(path);
  await sink.write(new TextEncoder().encode(text));
  await sink.close();
}
