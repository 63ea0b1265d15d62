/** The parts of the recipe on a few made-up drawings: they run, can be stopped, and go on as if they had not been. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Llava } from "llava-webgpu";
import { Random } from "llava-webgpu/train";
import { afterAll, describe, expect, it } from "vitest";
import { Checkpoint, openFolder } from "llava-webgpu/weights";
import { DialogueMaker, exampleKinds } from "./dialogue.ts";
import { dialogueBatch } from "./dialogue-batches.ts";
import type { Drawing, Drawings } from "./drawings.ts";
import { type LanguageProgress, trainLanguage } from "./language.ts";
import { writeModel } from "./model.ts";
import { taggedConcepts as concepts, testConcepts, testDrawings, testSizes, testWord } from "./test-concepts.ts";
import { writeTokenizer } from "./tokenizer.ts";
import { type TowerProgress, trainTower } from "./tower.ts";
import { TowerLessons } from "./tower-lessons.ts";

const SIDE = testSizes.vision.imageSize;
const root = mkdtempSync(join(tmpdir(), "llava-recipe-"));
afterAll(() => rmSync(root, { recursive: true }));

const training: Drawing[] = testDrawings.map((drawing) => ({ ...drawing, concept: concepts[testConcepts.indexOf(drawing.concept)]! }));
const placed: Drawing[] = training.slice(0, concepts.length).map((drawing) => ({ ...drawing, natural: new Uint8Array(SIDE * SIDE * 3) }));
const drawings: Drawings = { concepts, training, heldOut: { twemoji: placed } };
const words = [testWord];
const maker = new DialogueMaker({ concepts: testConcepts, drawings: testDrawings, words, tile: SIDE });
const common = { drawings, words, learningRate: 1e-3, adamWFactor: 0.5, seed: 1, checkpointEvery: 100 };

async function load(name: string): Promise<Llava> {
  return Llava.load(join(root, name), { adapter: "software", weights: "f32" });
}

writeTokenizer(join(root, "tokenizer"), [["USER: What is this? ASSISTANT: a red apple 0123456789", 5]]);
await writeModel(join(root, "random"), {
  tokenizer: join(root, "tokenizer"),
  seed: 1,
  sizes: testSizes,
});

describe("tower", () => {
  const run = { ...common, output: join(root, "tower"), steps: 3, batchSize: 6, evaluateEvery: 3 };

  it("learns, and after a stop goes on as if there had been none", async () => {
    const whole: TowerProgress[] = [];
    const llava = await load("random");
    await trainTower(llava, { ...run, output: join(root, "whole"), onProgress: (progress) => whole.push(progress) });
    await llava.dispose();
    expect(whole).toHaveLength(1);
    expect(whole[0]).toMatchObject({ step: 3, steps: 3, accuracy: { twemoji: expect.any(Number) } });
    expect(whole[0]!.loss).toBeGreaterThan(0);

    const stop = new AbortController();
    const first = await load("random");
    const steps = trainTower(first, { ...run, signal: stop.signal });
    stop.abort();
    await steps;
    await first.dispose();
    const second = await load("random");
    await trainTower(second, { ...run, resume: true });
    await second.dispose();
    const model = (name: string): Buffer => readFileSync(join(root, name, "model.safetensors"));
    expect(model("tower").equals(model("whole"))).toBe(true);
    expect(model("tower").equals(model("random"))).toBe(false);
  });

  it("has labels for every sort of picture, with weights that are those of a mean", () => {
    const lessons = new TowerLessons({ concepts, drawings: testDrawings, words, tile: SIDE, patch: 18, batchSize: 64 });
    const { pixels, targets } = lessons.next(new Random(3));
    expect(pixels.shape).toEqual([64, 3, SIDE, SIDE]);
    const heads = Object.keys(lessons.heads) as (keyof typeof lessons.heads)[];
    for (const head of heads) {
      const labels = targets.filter((target) => target.head === head).map(({ label }) => label);
      expect(labels.length, head).toBeGreaterThan(0);
      for (const label of labels) expect(label).toBeLessThan(lessons.heads[head]);
    }
    const named = targets.filter(({ head }) => head === "concept" || head === "word").reduce((sum, { weight }) => sum + weight, 0);
    expect(named).toBeGreaterThan(0.8);
    expect(named).toBeLessThan(1 + 1e-9);
  });
});

describe("language", () => {
  it("learns names, then dialogues, and only what a stage trains", async () => {
    const reports: LanguageProgress[] = [];
    const moved = async (from: string, to: string): Promise<string> => {
      const [before, after] = await Promise.all([from, to].map(async (folder) => Checkpoint.open(await openFolder(join(root, folder)))));
      const parts = new Set<string>();
      for (const name of before!.names()) {
        if (Buffer.compare(await before!.read(name), await after!.read(name)) !== 0) parts.add(name.split(".")[0]!);
      }
      await Promise.all([before!.close(), after!.close()]);
      return [...parts].sort().join(" ");
    };
    const stages = [
      { stage: 1, from: "random", to: "stage-1", parts: "projector" },
      { stage: 1.5, from: "stage-1", to: "stage-1.5", parts: "language newline projector" },
      { stage: 1.75, from: "stage-1.5", to: "stage-1.75", parts: "language newline projector" },
      { stage: 2, from: "stage-1.75", to: "stage-2", towerFactor: 0.2, parts: "language newline projector vision" },
    ] as const;
    for (const { from, to, parts, ...stage } of stages) {
      const llava = await load(from);
      const run = { ...common, ...stage, output: join(root, to), steps: 2, batchSize: 2, onProgress: (report: LanguageProgress) => reports.push(report) };
      await trainLanguage(llava, run);
      await llava.dispose();
      expect(await moved(from, to)).toBe(parts);
    }
    expect(reports).toMatchObject([{ stage: 1, step: 2 }, { stage: 1.5, step: 2 }, { stage: 1.75, step: 2 }, { stage: 2, step: 2 }]);
    const llava = await load("stage-2");
    expect((await llava.generate({ images: [{ width: SIDE, height: SIDE, data: placed[0]!.natural! }], prompt: "What is this?" }, { maxNewTokens: 2 })).tokens).toHaveLength(2);
    await llava.dispose();
  });

  it.each(exampleKinds)("makes batches of %s whose prompts are those of questions asked", async (kind) => {
    const llava = await load("random");
    const batch = await dialogueBatch(llava, { maker, batchSize: 4, mix: { [kind]: 1 } }, new Random(5));
    expect(batch.inputIds[0]!.length % 16).toBe(0);
    const example = maker.next(new Random(9), kind);
    const { inputIds } = await llava.prepare({ images: [...example.images], prompt: example.turns[0]!.question });
    const again = await dialogueBatch(llava, { maker: { next: () => example } as unknown as DialogueMaker, batchSize: 1, mix: { single: 1 } }, new Random(5));
    expect(again.inputIds[0]!.slice(0, inputIds.length)).toEqual([...inputIds]);
    expect(again.labels[0]!.slice(0, inputIds.length).every((label) => label === -100)).toBe(true);
    await llava.dispose();
  });
});
