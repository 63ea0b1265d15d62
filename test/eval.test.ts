/** The embedded model, and the one that examples/train-emoji made, answer held-out questions as transformers does, and `npm run eval` says so. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answer, type Answered, count, divergence, readQuestions } from "../examples/eval.ts";
import { Llava } from "../src/index.ts";
import { testAdapters } from "./harness/adapters.ts";
import { root } from "./harness/sources.ts";

/** Of a step's largest logit; the reference is written with four decimals, which is 3e-6 of it. */
const LIMIT = 2e-5;

const adapters = await testAdapters();

for (const { name } of adapters) {
  describe(`the embedded model on ${name}`, () => {
    let llava: Llava;
    const answers: Answered[] = [];
    beforeAll(async () => {
      llava = await Llava.load(undefined, { adapter: name });
      for (const question of readQuestions()) answers.push(await answer(llava, question));
    });
    afterAll(() => llava.dispose());

    it("gives transformers' tokens for at least 305 of 306 questions", async () => {
      const different = answers.filter(({ same }) => !same);
      const where: string[] = [];
      for (const each of different) where.push(await divergence(llava, each));
      expect(answers).toHaveLength(306);
      expect(different.length, where.join("; ")).toBeLessThanOrEqual(1);
    });

    it("has transformers' five best logits in every step of the first 40 answers", () => {
      const errors = answers.slice(0, 40).map(({ logitError }) => logitError!);
      expect(errors).toHaveLength(40);
      expect(Math.max(...errors)).toBeLessThanOrEqual(LIMIT);
    });

    it("is right as often as its card says: 156 times", () => {
      const all = count(answers).at(-1)!;
      expect(Math.abs(all.exact - 156)).toBeLessThanOrEqual(306 - all.same);
    });

    it("says where a wrong answer parts from transformers' one", async () => {
      const swapped = { ...answers[0], tokens: [434, 2] };
      expect(await divergence(llava, swapped)).toBe("question 0, token 1: 434, transformers has 425, their logits differ by -2.8e+0");
    });
  });
}

describe("the model of examples/train-emoji: AnyRes, trained and saved by this library", () => {
  const model = join(root, "examples/train-emoji/model");

  it.each(adapters)("answers token for token, with the same logits, on $name", async ({ name }) => {
    const llava = await Llava.load(model, { adapter: name });
    const answers: Answered[] = [];
    for (const question of readQuestions(model).slice(0, 100)) answers.push(await answer(llava, question));
    const where = await Promise.all(answers.filter(({ same }) => !same).map((each) => divergence(llava, each)));
    await llava.dispose();
    expect(where).toEqual([]);
    expect(Math.max(...answers.slice(0, 40).map(({ logitError }) => logitError!))).toBeLessThanOrEqual(LIMIT);
  });
});

describe("npm run eval", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: { eval: string } };
  const run = (args: string) => spawnSync(`${scripts.eval} ${args}`, { cwd: root, shell: true, encoding: "utf8" });

  it("prints a table with a line per kind, the rate and the adapter", () => {
    const { status, stdout } = run("--adapter swiftshader --limit 3");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^yn_kind +1 +1 +100 % +1 of 1$/m);
    expect(stdout).toMatch(/^all +3 +2 +67 % +3 of 3$/m);
    expect(stdout).toMatch(/answers\/s.*SwiftShader/);
  });

  it("prints the same as JSON", () => {
    const { status, stdout } = run("--adapter swiftshader --limit 1 --json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ tokens: 2, different: [], kinds: [{ kind: "yn_kind", same: 1 }, { kind: "all" }] });
  });

  it("refuses in one line what it does not know", () => {
    for (const args of ["--bogus", "--limit none", "--adapter nowhere"]) {
      const { status, stderr } = run(args);
      expect(status, args).toBe(1);
      expect(stderr, args).toMatch(/^eval: .+$/m);
      expect(stderr, args).not.toMatch(/^ +at /m);
    }
  });
});
