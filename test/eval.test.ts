/** The embedded model answers held-out questions as transformers does, and `npm run eval` says so. */
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

    it("is right as often as its card says", () => {
      const all = count(answers).at(-1)!;
      const [, said] = readFileSync(join(root, "models/emoji-llava/README.md"), "utf8").match(/\*\*(\d+) of 306\*\*/)!;
      expect(Math.abs(all.exact - Number(said))).toBeLessThanOrEqual(306 - all.same);
    });

    it("says where a wrong answer parts from transformers' one", async () => {
      const { ids: [best, second], logits: [highest, next] } = answers[0].question.transformers.top5![0];
      expect(await divergence(llava, { ...answers[0], tokens: [second, 2] })).toBe(
        `question 0, token 1: ${second}, transformers has ${best}, their logits differ by ${(next - highest).toExponential(1)}`,
      );
    });
  });
}

describe("npm run eval", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: { eval: string } };
  const run = (args: string) => spawnSync(`${scripts.eval} ${args}`, { cwd: root, shell: true, encoding: "utf8" });

  it("prints a table with a line per kind, the rate and the adapter", () => {
    const { status, stdout } = run("--adapter swiftshader --limit 3");
    expect(status).toBe(0);
    const asked = readQuestions().slice(0, 3);
    const right = asked.filter(({ answer, transformers }) => transformers.text === answer);
    for (const { kind } of asked) expect(stdout).toMatch(new RegExp(`^${kind} +1 +${right.some((each) => each.kind === kind) ? "1 +100" : "0 +0"} % +1 of 1$`, "m"));
    expect(stdout).toMatch(new RegExp(`^all +3 +${right.length} +${Math.round((100 * right.length) / 3)} % +3 of 3$`, "m"));
    expect(stdout).toMatch(/answers\/s.*SwiftShader/);
  });

  it("prints the same as JSON", () => {
    const { status, stdout } = run("--adapter swiftshader --limit 1 --json");
    expect(status).toBe(0);
    const [{ kind, transformers }] = readQuestions();
    expect(JSON.parse(stdout)).toMatchObject({ tokens: transformers.token_ids.length, different: [], kinds: [{ kind, same: 1 }, { kind: "all" }] });
  });

  it("refuses in one line what it does not know", () => {
    for (const args of ["--bogus", "--limit none", "--adapter nowhere", "--model nowhere"]) {
      const { status, stderr } = run(args);
      expect(status, args).toBe(1);
      expect(stderr, args).toMatch(/^eval: .+$/m);
      expect(stderr, args).not.toMatch(/^ +at /m);
    }
  });
});
