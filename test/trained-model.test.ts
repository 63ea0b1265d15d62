/** The model that examples/train-emoji made answers as transformers does with its files: AnyRes, trained and saved here. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { answer, type Answered, divergence, readQuestions } from "../examples/eval.ts";
import { Llava } from "../src/index.ts";
import { testAdapters } from "./harness/adapters.ts";
import { root } from "./harness/sources.ts";

const model = join(root, "examples/train-emoji/model");

/** Of a step's largest logit; the reference is written with four decimals. */
const LIMIT = 2e-5;

for (const { name } of await testAdapters()) {
  it(`answers token for token, with the same logits, on ${name}`, async () => {
    const llava = await Llava.load(model, { adapter: name });
    const answers: Answered[] = [];
    for (const question of readQuestions(model).slice(0, 100)) answers.push(await answer(llava, question));
    const where = await Promise.all(answers.filter(({ same }) => !same).map((each) => divergence(llava, each)));
    await llava.dispose();
    expect(where).toEqual([]);
    expect(Math.max(...answers.slice(0, 40).map(({ logitError }) => logitError!))).toBeLessThanOrEqual(LIMIT);
  });
}
