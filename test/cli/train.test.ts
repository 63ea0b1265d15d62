/** `llava train`: a recipe from its file, interrupted and resumed, and its mistakes. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { goldenPath } from "../harness/golden.ts";
import { finish, llava, start } from "./run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "llava-train-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string): string => join(folder, name);
const adapter = ["--adapter", process.env.LLAVA_TEST_ADAPTER ?? "swiftshader"];

const stage = { trainable: ["language"], learningRate: 1e-3, steps: 3, batchSize: 2 };
const recipe = { model: "model", data: "data.json", template: "v1", system: "", stages: [stage], output: "out" };
const write = (name: string, value: object): string => {
  writeFileSync(path(name), JSON.stringify(value));
  return path(name);
};

beforeAll(() => {
  cpSync(goldenPath("training/model/llava"), path("model"), { recursive: true });
  const ask = (id: number) => ({ id, conversations: [{ from: "human", value: `Number ${id}?` }, { from: "gpt", value: `It is ${id}.` }] });
  writeFileSync(path("data.json"), JSON.stringify(Array.from({ length: 8 }, (_, id) => ask(id))));
});

describe("llava train", () => {
  it("trains, tells where the model is, and the model answers", async () => {
    const { status, stdout, stderr } = await llava(["train", write("recipe.json", recipe), ...adapter]);
    expect(status, stderr).toBe(0);
    expect(stdout).toBe(`${path("out/model")}\n`);
    expect(stderr).toMatch(/stage 1: .* of memory \(parameters .*activations .*\)\nstage 1 {2}step 1\/3 {2}loss \d/);
    expect(stderr).toMatch(/step 3\/3 {2}loss \d+\.\d+ {2}\d+ tokens\/s {2}0 s left/);
    expect(readFileSync(path("out/log.jsonl"), "utf8").trim().split("\n")).toHaveLength(3);
    const again = await llava(["train", path("recipe.json"), ...adapter]);
    expect(again).toMatchObject({ status: 1, stdout: "", stderr: expect.stringMatching(/^llava: recipe: output: .* holds the checkpoint of a run: resume it, or name another folder\n$/) });
    const answer = await llava(["run", "--model", path("out/model"), "--raw", "--prompt", "USER: Number 1? ASSISTANT:", "--max-tokens", "2", ...adapter]);
    expect(answer.status, answer.stderr).toBe(0);
  });

  it("says that adapters are no whole model, and how to get one", async () => {
    const lora = { ...recipe, output: "lora", stages: [{ ...stage, trainable: [], lora: { rank: 2 }, steps: 1 }] };
    const alone = await llava(["train", write("lora.json", lora), ...adapter]);
    expect(alone.stdout, alone.stderr).toBe(`${path("lora/model")}\n`);
    expect(alone.stderr).toContain(`The adapters are in ${path("lora/model")} (adapters beside ${path("model")}: loadLora reads them, "merged": true in the recipe writes a whole model); log: `);
    expect((await llava(["run", "--model", path("lora/model"), "--prompt", "a", ...adapter])).stderr).toContain(`load the base model, ${path("model")}, and call loadLora`);
  });

  it("leaves a checkpoint on Ctrl-C and goes on from it", async () => {
    const long = write("long.json", { ...recipe, output: "long", stages: [{ ...stage, steps: 40 }] });
    const child = start(["train", long, ...adapter]);
    let said = "";
    const listen = (text: Buffer) => {
      said += text;
      if (!/step 2\/40/.test(said)) return;
      child.stderr.off("data", listen);
      child.kill("SIGINT");
    };
    child.stderr.on("data", listen);
    const { status, stderr } = await finish(child);
    expect(status, stderr).toBe(130);
    expect(stderr).toContain(`interrupted; go on with: llava train ${long} --resume`);
    expect(existsSync(path("long/checkpoint/training.safetensors"))).toBe(true);
    expect(existsSync(path("long/model"))).toBe(false);
    const resumed = await llava(["train", long, "--resume", "--json", ...adapter]);
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ finished: true, model: path("long/model") });
    const steps = readFileSync(path("long/log.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line).step);
    expect(steps).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  });

  it.each<[string, object, RegExp]>([
    ["an unknown field", { ...recipe, batch: 3 }, /^llava: recipe: batch: there is no such field; expected one of /],
    ["no samples", { ...recipe, data: "nowhere.json" }, /^llava: cannot open .*nowhere\.json: there is no such file$/],
    ["another model folder", { ...recipe, model: "nowhere", output: "none" }, /^llava: there is no folder .*nowhere/],
  ])("tells in one line of %s", async (_, value, line) => {
    const { status, stdout, stderr } = await llava(["train", write("wrong.json", value), ...adapter]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr.trimEnd()).toMatch(line);
    expect(stderr.trimEnd()).not.toContain("\n");
  });

  it("tells of a recipe that is not there, or no JSON", async () => {
    expect(await llava(["train", path("none.json")])).toMatchObject({ status: 1, stderr: `llava: train: cannot read ${path("none.json")}: there is no such file\n` });
    writeFileSync(path("broken.json"), "{ model: 3 }");
    expect((await llava(["train", path("broken.json")])).stderr).toMatch(/^llava: .*broken\.json is not valid JSON: .* line 1, column 3\n$/);
  });
});
