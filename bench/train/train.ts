/** Times training steps: our trainer on the adapter, and PyTorch on the CPU of the same machine. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FoundAdapter } from "../../src/gpu/adapter.ts";
import { Llava } from "../../src/index.ts";
import { type Batch, collate, Trainer, type TrainerOptions } from "../../src/train/index.ts";
import { type Contender, race, type RaceOptions, speedup, timed } from "../measure.ts";
import { sharesByKernel } from "../models.ts";
import type { Torch } from "../peers/torch.ts";
import type { KernelShare, Peaks, TrainRecord } from "../records.ts";
import { stepGroups } from "../steps.ts";
import { otherKernelsStep, type OtherStep, stepOff } from "./checks.ts";
import { collateOptions } from "./data.ts";
import { measureLoading } from "./loading.ts";
import { objectsMade } from "./objects.ts";
import { multiplyAdds, type ProgramRun, programsOf } from "./programs.ts";
import { type TrainFiles, writeBatch, writeFiles } from "./setup.ts";
import type { TrainSize } from "./sizes.ts";

const LEARNING_RATE = 3e-4;

/** Milliseconds after which no further round of a race begins to pay. */
const LONG = 60_000;
const FEWEST_ROUNDS = 3;
/** Steps in one sample of the loading clock. */
const LOADING_STEPS = 4;

interface Setting {
  readonly found: FoundAdapter;
  readonly peaks: Peaks;
  readonly torch: Torch | undefined;
  readonly race: RaceOptions;
}

/** Times one size of model: its stages, and what loading adds to the first of them. */
export async function measureTraining(size: TrainSize, setting: Setting): Promise<TrainRecord[]> {
  const folder = mkdtempSync(join(tmpdir(), "llava-bench-train-"));
  try {
    const files = await writeFiles(folder, size);
    const records: TrainRecord[] = [];
    for (const trainable of size.stages) records.push(await measureStage(size, files, trainable, records.length === 0, setting));
    return records;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measureStage(size: TrainSize, files: TrainFiles, trainable: readonly string[], loads: boolean, setting: Setting): Promise<TrainRecord> {
  const { found, peaks, torch } = setting;
  const options: TrainerOptions = { trainable, learningRate: LEARNING_RATE };
  const llava = await Llava.load(files.model, { adapter: found.name });
  try {
    const { gpu } = llava.parts.loaded;
    const reading = collateOptions(files.pictures, size);
    const batch = await collate(files.samples.slice(0, size.batch) as never, llava, reading);
    const trainer = await Trainer.create(llava, options);

    const planned = (await trainer.memory(batch)).total;
    const { loss, gradientNorm } = await trainer.step(batch);
    const { allocated } = gpu;
    let runs: ProgramRun[] = [];
    const warm = await timed(async () => {
      runs = await programsOf(() => trainer.step(batch));
    });
    const objects = await objectsMade(gpu.device, () => trainer.step(batch));
    const others: OtherStep[] = [await otherKernelsStep(found, files.model, batch, options)];
    if (torch) others.push({ name: torch.name, ...(await loadTorch(torch, files.model, batch, trainable)) });

    const rounds = Math.max(FEWEST_ROUNDS, Math.min(setting.race.rounds, Math.floor(LONG / warm.time)));
    // PyTorch's threads go on spinning for a while after a step.
    const racing = { ...setting.race, rounds, rest: torch ? 100 : 0 };
    const [timing, theirs] = await race([steps(trainer, batch), ...(torch ? [{ sample: (repeats: number) => torch.run(repeats) }] : [])], racing);
    const loading = loads
      ? await measureLoading({ llava, trainer, batch, samples: files.samples, options: reading, steps: LOADING_STEPS }, { ...racing, rounds: FEWEST_ROUNDS })
      : undefined;
    const lastLoss = (await trainer.step(batch)).loss;
    const products = runs.reduce((sum, run) => sum + multiplyAdds(run), 0);
    const byKernel = await shares(runs, { ...setting.race, rounds: FEWEST_ROUNDS });
    const tokens = batch.attentionMask.flat().reduce((sum, bit) => sum + bit, 0);
    const record: TrainRecord = {
      model: size.name,
      trainable: trainable.join(", "),
      adapter: found.name,
      parameters: parametersOf(llava),
      learning: trainer.slots.reduce((sum, { count }) => sum + count, 0),
      samples: size.batch,
      tokens,
      multiplyAdds: products,
      dispatches: runs.reduce((sum, { program }) => sum + program.steps.length, 0),
      timing,
      tokensPerSecond: (1e3 * tokens) / timing.median,
      multiplyAddsPerSecond: (1e3 * products) / timing.median,
      ofPeak: (2e3 * products) / timing.median / peaks.multiplyAdd,
      byKernel,
      ...(theirs ? { torch: { name: torch!.name, timing: theirs, speedup: speedup(theirs, timing) } } : {}),
      ...(loading ? { loading } : {}),
      loss,
      gradientNorm,
      guess: Math.log(llava.config.text.vocabulary),
      off: others.map((other) => stepOff({ loss, gradientNorm }, other)),
      lastLoss,
      steps: trainer.stepCount,
      planned,
      allocated,
      objects,
    };
    await trainer.dispose();
    return record;
  } finally {
    await llava.dispose();
  }
}

function steps(trainer: Trainer, batch: Batch): Contender {
  return {
    sample: (repeats) => timed(async () => {
      for (let i = 0; i < repeats; i++) await trainer.step(batch);
    }),
  };
}

/** Begins the same training in PyTorch. */
async function loadTorch(torch: Torch, folder: string, batch: Batch, trainable: readonly string[]) {
  const file = join(folder, "..", "batch.safetensors");
  await writeBatch(file, batch);
  const frozen = trainable.includes("vision") ? [] : ["model.vision_tower."];
  return torch.load({ folder, batch: file, frozen, learningRate: LEARNING_RATE });
}

/** The kernels of a step by their time, each timed alone. What they write is of no use afterwards. */
async function shares(runs: readonly ProgramRun[], options: RaceOptions): Promise<KernelShare[]> {
  const all: KernelShare[][] = [];
  for (const { program, scalars, inputs } of runs) {
    const { groups, dispose } = await stepGroups(program.gpu, program, scalars, inputs);
    all.push(sharesByKernel(groups, await race(groups, options)));
    dispose();
  }
  return all.flat().sort((a, b) => b.time - a.time);
}

function parametersOf({ parts: { loaded } }: Llava): number {
  const shapes = [...loaded.model.parameters.values()].map(({ shape }) => shape);
  return shapes.reduce((sum, shape) => sum + shape.reduce((product, length) => product * length, 1), 0);
}
