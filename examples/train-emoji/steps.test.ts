import { afterEach, describe, expect, it } from "vitest";
import { type PartRun, takeSteps } from "./steps.ts";

const run: PartRun = {
  drawings: { concepts: [], training: [], heldOut: {} },
  words: [], output: "nowhere", steps: 3, batchSize: 1, learningRate: 1, adamWFactor: 1, seed: 1, checkpointEvery: 2,
};

/** A trainer whose steps take a while, which `dispose` waits for; notes what happens to it. */
class SlowTrainer {
  stepCount = 0;
  readonly events: string[] = [];
  #stepped: Promise<void> = Promise.resolve();

  async step(batch: number): Promise<number> {
    this.#stepped = new Promise((resolve) => setTimeout(resolve, 5));
    await this.#stepped;
    this.stepCount++;
    return batch;
  }

  async checkpoint(): Promise<void> {
    this.events.push(`checkpoint ${this.stepCount}`);
  }

  async save(): Promise<void> {
    this.events.push("save");
  }

  async dispose(): Promise<void> {
    await this.#stepped;
    this.events.push("disposed");
  }
}

describe("taking steps", () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): number => unhandled.push(reason);
  process.on("unhandledRejection", note);
  afterEach(() => process.off("unhandledRejection", note));

  it("makes a batch for every step, checkpoints on the way and saves at the end", async () => {
    const trainer = new SlowTrainer();
    const reported: number[] = [];
    let made = 0;
    await takeSteps(trainer, run, () => made++, () => 1, ({ results }) => void reported.push(...results));
    expect(reported).toEqual([0, 1, 2]);
    expect(made).toBe(3);
    expect(trainer.events).toEqual(["checkpoint 2", "checkpoint 3", "save", "disposed"]);
  });

  it("disposes of the trainer when the next batch cannot be made, and says why it cannot", async () => {
    const trainer = new SlowTrainer();
    let made = 0;
    const lesson = (): number => {
      if (made++ === 2) throw new Error("no drawing");
      return made;
    };
    await expect(takeSteps(trainer, run, lesson, () => 1, () => {})).rejects.toThrow("no drawing");
    expect(trainer.events).toEqual(["disposed"]);
    expect(unhandled).toEqual([]);
  });

  it("keeps what it has when it is stopped", async () => {
    const trainer = new SlowTrainer();
    const stop = new AbortController();
    const lesson = (): number => {
      stop.abort();
      return 0;
    };
    await takeSteps(trainer, { ...run, signal: stop.signal }, lesson, () => 1, () => {});
    expect(trainer.events).toEqual(["checkpoint 0", "disposed"]);
  });
});
