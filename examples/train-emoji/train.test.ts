/** The whole recipe, two steps of each part, on a few made-up drawings. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Llava } from "llava-webgpu";
import { afterAll, expect, it } from "vitest";
import { evaluateModel } from "./evaluate.ts";
import { evaluatedKinds } from "./held-out.ts";
import { testSizes, writeTestCache } from "./test-concepts.ts";
import { main, trainDefaultModel } from "./train.ts";

const root = mkdtempSync(join(tmpdir(), "llava-train-"));
afterAll(() => rmSync(root, { recursive: true }));

const cache = join(root, "cache");
writeTestCache(cache);
const output = join(root, "run");
const options = {
  output,
  cache,
  adapter: "software",
  steps: { tower: 2, "stage-1": 2, "stage-1.5": 2, "stage-1.75": 2, "stage-2": 2 },
  batchSize: 3,
  sizes: testSizes,
};

it("runs from random weights to the mean of the last rounds, does only what is not there yet, and can be evaluated", async () => {
  const stop = new AbortController();
  const first: string[] = [];
  const stopAt = (part: string): void => {
    first.push(part);
    if (part === "stage-1.5") stop.abort();
  };
  expect(await trainDefaultModel({ ...options, signal: stop.signal, onProgress: stopAt })).toBeUndefined();
  const then: string[] = [];
  const model = await trainDefaultModel({ ...options, resume: true, onProgress: (part) => then.push(part) });
  expect([...first, ...then].filter((part, i, all) => all.indexOf(part) === i)).toEqual([
    "tower", "stage-1", "stage-1.5", "stage-1.75", "stage-2a", "stage-2b", "stage-2c",
  ]);
  expect(then).not.toContain("tower");
  expect(model).toBe(join(output, "model"));

  const weights = ["stage-2a", "stage-2b", "stage-2c"].map((name) => readFileSync(join(output, name, "model.safetensors")).toString("base64"));
  expect(new Set(weights).size).toBe(3);
  const llava = await Llava.load(model!, { adapter: "software" });
  const image = { width: 72, height: 72, data: new Uint8Array(72 * 72 * 3) };
  expect((await llava.generate({ images: [image], prompt: "What is this?" }, { maxNewTokens: 2 })).tokens.length).toBeGreaterThan(0);
  expect(readFileSync(join(model!, "config.json"), "utf8")).toContain('"dtype": "float16"');

  const rows: string[] = [];
  const scores = await evaluateModel(llava, { cache, questions: 1, names: 2, onProgress: (row) => rows.push(row) });
  await llava.dispose();
  expect(rows).toHaveLength(scores.length);
  for (const set of ["twemoji", "openmoji"]) {
    const kinds = scores.filter((score) => score.set === set).map(({ kind }) => kind);
    expect(kinds).toEqual(expect.arrayContaining([...evaluatedKinds, "all names", "all names, large", "same, large", "nth_name, large"]));
    expect(new Set(kinds).size).toBe(kinds.length);
  }
  for (const { kind, score, blind, withoutTiles, majority } of scores) {
    for (const share of [score, blind ?? 0, withoutTiles ?? 0, majority]) expect(share, kind).toSatisfy((n: number) => n >= 0 && n <= 1);
    expect(blind !== undefined, kind).toBe(!kind.startsWith("all names"));
  }
});

it.each([
  [[], /expected --output FOLDER/],
  [["--output", root, "--steps", "1,2"], /expected --steps of five whole numbers/],
  [["--output", root, "--steps", "1,2,3,4,0"], /expected --steps of five whole numbers/],
])("says what is wrong with the arguments %j", async (args, message) => {
  await expect(main(args)).rejects.toThrow(message);
});

it("names an option that there is not in one line", () => {
  const script = "await (await load('examples/train-emoji/train.ts')).main(process.argv.slice(3))";
  const runner = fileURLToPath(new URL("../../test/harness/run-source.mjs", import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [runner, script, "--nonsense"], { encoding: "utf8" });
  expect(stderr.trim()).toMatch(/^Unknown option '--nonsense'.*$/);
  expect(status).toBe(1);
});
