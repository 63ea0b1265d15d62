/** `llava train`: a recipe from its file. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parseJson } from "../../weights/json.ts";
import { checkRecipe, type Recipe, type RecipeProgress, type RecipeResult, runRecipe } from "../train/index.ts";
import { bytes, longDuration } from "./format.ts";
import type { Notes } from "./notes.ts";
import { ProgressLine } from "./progress.ts";
import { CommandError } from "./run.ts";

/** The options of the command line. */
export interface TrainOptions {
  readonly resume?: boolean;
  readonly adapter: string;
  readonly json?: boolean;
}

/** Lines of progress in a whole stage, where there is no terminal to draw over. */
const LINES = 20;

/**
 * Trains. Progress goes to standard error; standard output gets the folder of the model, or with `json` the whole result in
 * one line. When `signal` aborts, the run ends behind its step, with a checkpoint that `--resume` goes on from.
 */
export async function train(path: string, { resume = false, adapter, json = false }: TrainOptions, notes: Notes, signal: AbortSignal): Promise<void> {
  const recipe = await readRecipe(path);
  const display = new Display(notes);
  const result = await runRecipe(recipe, { adapter, resume, signal, onProgress: display.update }).finally(() => display.end());
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else if (result.finished) process.stdout.write(`${result.model}\n`);
  notes.write(`${summary(result, recipe, path)}\n`);
}

/** Reads a recipe. Its paths, and those of pictures, start from the folder that it lies in. */
async function readRecipe(path: string): Promise<Recipe> {
  const content = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new CommandError(`train: cannot read ${path}: ${cause.code === "ENOENT" ? "there is no such file" : cause.message}`, { cause });
  });
  const { recipe } = checkRecipe(parseJson(content, path));
  const folder = dirname(path);
  const place = (given: string): string => (/^[a-z]+:\/\//i.test(given) ? given : resolve(folder, given));
  const files = (given: string | readonly string[]) => (typeof given === "string" ? [given] : given).map(place);
  const placed = <T extends Pick<Recipe, "data" | "imageFolder">>({ data, imageFolder, ...rest }: T) => ({
    ...rest,
    ...(data === undefined ? {} : { data: files(data) }),
    ...(imageFolder === undefined ? {} : { imageFolder: place(imageFolder) }),
  });
  const { model, evaluation, stages } = recipe;
  return {
    ...placed({ ...recipe, imageFolder: recipe.imageFolder ?? "." }),
    ...(model === undefined ? {} : { model: place(model) }),
    ...(evaluation ? { evaluation: { ...evaluation, data: files(evaluation.data) } } : {}),
    output: place(recipe.output),
    stages: stages.map(placed),
  } as Recipe;
}

/** Progress on a terminal as a line that is drawn over, elsewhere as a few lines. */
class Display {
  readonly #line: ProgressLine | undefined;

  constructor(private readonly notes: Notes) {
    this.#line = notes.isTTY ? new ProgressLine(notes) : undefined;
  }

  readonly update = (progress: RecipeProgress): void => {
    if (progress.kind === "model") return this.#say(`training on ${progress.adapter.name}`);
    if (progress.kind === "skipped") return this.#say(`left out: ${progress.message}`);
    const { stage } = progress;
    if (progress.kind === "memory") {
      const { total, ...parts } = progress.memory;
      return this.#say(`${stage}: ${bytes(total)} of memory (${Object.entries(parts).map(([name, count]) => `${name} ${bytes(count)}`).join(", ")})`);
    }
    if (progress.kind === "evaluation") {
      const { step, loss, accuracy, questions } = progress;
      return this.#say(`${stage}, step ${step}: held-out loss ${loss.toFixed(3)}, ${Math.round(accuracy * questions)} of ${questions} answers right`);
    }
    const { step, steps, loss, tokensPerSecond, secondsLeft } = progress;
    // The first step compiles shaders, so its time tells nothing.
    const pace = tokensPerSecond > 0 ? `  ${Math.round(tokensPerSecond)} tokens/s  ${longDuration(secondsLeft)} left` : "";
    const words = `${stage}  step ${step}/${steps}  loss ${loss.toFixed(3)}${pace}`;
    if (this.#line) this.#line.show(words);
    else if (step === 1 || step === steps || step % Math.ceil(steps / LINES) === 0) this.notes.write(`${words}\n`);
  };

  end(): void {
    this.#line?.clear();
  }

  #say(words: string): void {
    this.#line?.clear();
    this.notes.write(`${words}\n`);
  }
}

function summary({ finished, model, adapters, log, curve }: RecipeResult, recipe: Recipe, path: string): string {
  if (!finished) return `interrupted; go on with: llava train ${path} --resume`;
  const beside = `adapters beside ${recipe.model ?? "the embedded model"}: loadLora reads them, "merged": true in the recipe writes a whole model`;
  return `The ${adapters ? "adapters are" : "model is"} in ${model}${adapters ? ` (${beside})` : ""}; log: ${log}; loss curve: ${curve}`;
}
