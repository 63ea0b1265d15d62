/**
 * `npm run train:tiny`: both stages of LLaVA on a model of random weights, in a few minutes without a GPU: it learns the
 * shapes and colours of small drawings, and is asked about drawings that it never saw, before and after.
 *
 *     npm run train:tiny [-- --adapter NAME] [--output FOLDER]
 *
 * In real LLaVA the vision tower and the language model come trained. Here both begin at random, so that stage 1 has
 * little to connect, and stage 2 trains everything.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Llava } from "llava-webgpu";
import { type Recipe, type RecipeProgress, runRecipe } from "llava-webgpu/train";
import { writeModel } from "./model.ts";
import { draw, type Drawing, questions } from "./pictures.ts";

const SEED = 1;

/** The same layout in training and in the questions afterwards, without the long default system text. */
const layout = { template: "v1", system: "" } as const;

export interface TinyOptions {
  readonly output: string;
  readonly adapter?: string;
  /** Steps of both stages. */
  readonly steps?: readonly [number, number];
  /** Drawings to learn from, and held-out ones. */
  readonly drawn?: readonly [number, number];
}

export interface TinyResult {
  /** Shares of right answers about held-out drawings. */
  readonly before: number;
  readonly after: number;
  readonly curve: string;
  /** The trained model, and a picture that it never saw. */
  readonly model: string;
  readonly picture: string;
  readonly seconds: number;
}

/** Makes model and data, trains, asks. */
export async function trainTiny({ output, adapter = "auto", steps = [40, 1000], drawn = [900, 40] }: TinyOptions): Promise<TinyResult> {
  const began = performance.now();
  rmSync(output, { recursive: true, force: true });
  const pictures = join(output, "pictures");
  mkdirSync(pictures, { recursive: true });
  const [learnt, heldOut] = drawn;
  const drawings = Array.from({ length: learnt + heldOut }, (_, i) => draw(i));
  const samples = drawings.map((drawing, i) => describe(drawing, i, pictures));
  const write = (name: string, list: readonly unknown[]): string => {
    writeFileSync(join(output, name), JSON.stringify(list));
    return join(output, name);
  };
  const model = join(output, "random");
  await writeModel(model, SEED);

  const recipe: Recipe = {
    model,
    output: join(output, "run"),
    imageFolder: pictures,
    seed: SEED,
    stages: [
      {
        name: "stage 1: captions, projector",
        data: write("captions.json", samples.slice(0, learnt).map(({ caption }) => caption)),
        template: "plain",
        trainable: ["projector"],
        learningRate: 2e-3,
        batchSize: 16,
        steps: steps[0],
      },
      {
        name: "stage 2: questions, everything",
        data: write("questions.json", samples.slice(0, learnt).flatMap(({ asked }) => asked)),
        ...layout,
        trainable: ["vision", "projector", "language"],
        learningRate: 1e-3,
        batchSize: 16,
        steps: steps[1],
      },
    ],
    evaluation: { every: 250, data: write("held-out.json", samples.slice(learnt).flatMap(({ asked }) => asked)), questions: 20, maxNewTokens: 8 },
  };

  const example = drawings[learnt]!;
  const before = await ask(model, adapter, drawings.slice(learnt), example, "Before");
  const result = await runRecipe(recipe, { adapter, onProgress: show });
  const after = await ask(result.model, adapter, drawings.slice(learnt), example, "After");
  return { before, after, curve: result.curve, model: result.model, picture: join(pictures, `${learnt}.png`), seconds: (performance.now() - began) / 1000 };
}

/** One drawing as samples in LLaVA's JSON; its picture is written to a file. */
function describe(drawing: Drawing, number: number, folder: string) {
  const image = `${number}.png`;
  writeFileSync(join(folder, image), drawing.png);
  const sample = (id: string, question: string, answer: string) => ({
    id: `${number} ${id}`,
    image,
    conversations: [{ from: "human", value: `<image>\n${question}` }, { from: "gpt", value: answer }],
  });
  return {
    caption: sample("caption", "Describe it.", `a ${drawing.colour} ${drawing.shape}`),
    asked: Object.entries(questions).map(([id, { words, answer }]) => sample(id, words, answer(drawing))),
  };
}

/** Asks everything about some drawings; shows the answers about one. Returns the share of right ones. */
async function ask(model: string, adapter: string, drawings: readonly Drawing[], example: Drawing, when: string): Promise<number> {
  const llava = await Llava.load(model, { adapter });
  let right = 0;
  const shown: string[] = [];
  for (const drawing of drawings) {
    for (const { words, answer } of Object.values(questions)) {
      const prompt = `USER: <image>\n${words} ASSISTANT:`;
      const { text } = await llava.generate({ images: [drawing.png], prompt, template: "none" }, { maxNewTokens: 8 });
      if (text.trim() === answer(drawing)) right++;
      if (drawing === example) shown.push(`  ${words} ${JSON.stringify(text.trim())} (right: ${JSON.stringify(answer(drawing))})`);
    }
  }
  await llava.dispose();
  const asked = drawings.length * Object.keys(questions).length;
  console.log(`${when} training, about a drawing that it never saw:\n${shown.join("\n")}\n  ${right} of ${asked} held-out answers are right.`);
  return right / asked;
}

/** Progress on standard error: a line that is drawn over on a terminal, a few lines elsewhere. */
function show(progress: RecipeProgress): void {
  const { stderr } = process;
  if (progress.kind === "step") {
    const { stage, step, steps, loss, tokensPerSecond, secondsLeft } = progress;
    const words = `${stage}  step ${step}/${steps}  loss ${loss.toFixed(3)}  ${Math.round(tokensPerSecond)} tokens/s  ${Math.round(secondsLeft)} s left`;
    if (stderr.isTTY) stderr.write(`\r\x1b[2K${words}`);
    else if (step % 40 === 0 || step === steps) stderr.write(`${words}\n`);
  } else if (progress.kind === "evaluation") {
    const { accuracy, questions: asked, loss } = progress;
    stderr.write(`${stderr.isTTY ? "\n" : ""}held-out loss ${loss.toFixed(3)}, ${Math.round(accuracy * asked)} of ${asked} right\n`);
  }
}

/** The command. */
export async function main(words: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...words], options: { adapter: { type: "string" }, output: { type: "string" } } });
  const { adapter, output = join(tmpdir(), "llava-train-tiny") } = values;
  const { curve, model, picture, seconds } = await trainTiny({ output, ...(adapter ? { adapter } : {}) });
  const prompt = "USER: <image>\\nWhat colour is it? ASSISTANT:";
  console.log(`Took ${Math.round(seconds)} s. Loss curve: ${curve}`);
  console.log(`Ask it yourself: npx llava run --model ${model} --image ${picture} --raw --prompt $'${prompt}'`);
}
