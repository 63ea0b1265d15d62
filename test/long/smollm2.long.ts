/**
 * A real pretrained decoder, SmolLM2-135M-Instruct (LLaMA architecture, f16, tied embeddings, grouped heads), on text alone.
 * LLAVA_SMOLLM2 names its folder, which `make-smollm2.py` beside this file makes.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Llava } from "../../src/index.ts";
import { testAdapters } from "../harness/adapters.ts";
import { expectClose } from "../harness/close.ts";
import { goldenPath } from "../harness/golden.ts";
import { root } from "../harness/sources.ts";

interface Reference {
  readonly prompt: string;
  /** The prompt in the chat template. */
  readonly text: string;
  readonly input_ids: number[];
  readonly tokens: number[];
  readonly answer: string;
  readonly first_top5: { readonly ids: number[]; readonly values: number[] };
}

const references = JSON.parse(readFileSync(goldenPath("smollm2/reference.json"), "utf8")) as Reference[];

const folder = process.env.LLAVA_SMOLLM2 ?? "";
if (!existsSync(join(folder, "model.safetensors"))) {
  throw new Error(
    `LLAVA_SMOLLM2: expected a folder with SmolLM2-135M-Instruct, got "${folder}"; make it as test/long/make-smollm2.py says and set the variable to it`,
  );
}

for (const { name } of await testAdapters()) {
  // f32 holds the same numbers as the file's f16 (transformers computed with them in f32, too).
  for (const weights of ["auto", "f32"] as const) {
    describe(`SmolLM2 with weights ${weights} on ${name}`, () => {
      let llava: Llava;
      beforeAll(async () => {
        llava = await Llava.load(folder, { adapter: name, weights });
      });
      afterAll(() => llava.dispose());

      for (const { prompt, text, input_ids, tokens, answer, first_top5 } of references) {
        it(prompt, async () => {
          const prepared = await llava.prepare({ prompt });
          expect(prepared.prompt).toBe(text);
          expect(Array.from(prepared.inputIds)).toEqual(input_ids);

          const result = await llava.generate({ prompt }, { maxNewTokens: 24, topLogits: 5 });
          const { top } = result.steps![0];
          expect(top.map(({ token }) => token)).toEqual(first_top5.ids);
          expectClose(top.map(({ logit }) => logit), first_top5.values, 2e-5, "first logits");
          expect(result.tokens).toEqual(tokens);
          expect(result.text).toBe(answer);
        });
      }
    });
  }
}

describe("llava run on a text-only model", () => {
  it("answers a prompt without a picture", () => {
    const { prompt, answer } = references[0];
    const words = ["run", "--model", folder, "--prompt", prompt, "--max-tokens", "24"];
    const script = `process.exitCode = await (await load("src/cli/command.ts")).main(${JSON.stringify(words)})`;
    const { status, stdout } = spawnSync(process.execPath, [join(root, "test/harness/run-source.mjs"), script], { encoding: "utf8" });
    expect({ status, text: stdout.trim() }).toEqual({ status: 0, text: answer });
  });
});
