/** Times whole models: the first token, a decode step, and how much of the step its kernels account for. */
import type { Request } from "../src/input/messages.ts";
import type { FoundAdapter } from "../src/gpu/adapter.ts";
import { TEXT } from "../src/ops/index.ts";
import type { FolderSource } from "../weights/index.ts";
import { loadParts, type Parts } from "../test/harness/model.ts";
import { type Contender, median, race, type RaceOptions, timed, type Timing } from "./measure.ts";
import type { KernelShare, ModelRecord } from "./records.ts";
import { type StepGroup, stepGroups } from "./steps.ts";

export interface ModelWork {
  readonly name: string;
  readonly folder: FolderSource;
  readonly weights: "auto" | "f16";
  readonly request: Request;
}

/** Loads a model and times it. The model's tokens are those of its own greedy answer. */
export async function measureModel(found: FoundAdapter, { name, folder, weights, request }: ModelWork, options: RaceOptions): Promise<ModelRecord> {
  const parts = await loadParts(folder, found, { weights });
  try {
    const { gpu, runtime, preparer } = parts;
    const { sights, inputIds, source } = await preparer.prepare(request);
    const ids = Uint32Array.from(inputIds);

    const prefills: number[] = [];
    let next = 0;
    const firstToken = async (): Promise<number> => {
      const began = performance.now();
      runtime.reset();
      await runtime.see(sights);
      const seen = performance.now();
      next = (await runtime.extend(ids, source, "token")).token!;
      prefills.push(performance.now() - seen);
      return performance.now() - began;
    };
    const coldFirstToken = await firstToken();
    const firsts: number[] = [];
    for (let round = 0; round < options.rounds; round++) firsts.push(await firstToken());

    const step = decodeSteps(parts, next);
    const { groups, dispose } = await stepGroups(gpu, await runtime.decodeProgram(), { position: ids.length, last: 0 });
    const [stepTiming, ...groupTimings] = await race([step, ...groups], options);
    dispose();
    const kernels = median(sumPerRound(groupTimings));
    return {
      model: name,
      weights,
      adapter: found.name,
      promptTokens: ids.length,
      firstToken: median(firsts),
      coldFirstToken,
      prefill: (1e3 * ids.length) / median(prefills.slice(1)),
      step: stepTiming.median,
      stepCpu: stepTiming.cpu,
      tokensPerSecond: 1e3 / stepTiming.median,
      dispatches: groups.reduce((sum, { dispatches }) => sum + dispatches, 0),
      kernels,
      ratio: median(sumPerRound(groupTimings).map((sum, round) => stepTiming.samples[round] / sum)),
      byKernel: sharesByKernel(groups, groupTimings),
    };
  } finally {
    await parts.runtime.dispose();
    await parts.gpu.dispose();
  }
}

/** Decode steps as generation takes them: every token is read back before the next step. Each sample starts behind the prompt. */
function decodeSteps({ runtime }: Parts, first: number): Contender {
  const start = runtime.length;
  return {
    sample: (repeats) => timed(async () => {
      runtime.length = start;
      let token = first;
      for (let i = 0; i < repeats; i++) token = (await runtime.extend(Uint32Array.of(token), Uint32Array.of(TEXT), "token")).token!;
    }),
  };
}

function sumPerRound(timings: readonly Timing[]): number[] {
  return timings[0].samples.map((_, round) => timings.reduce((sum, { samples }) => sum + samples[round], 0));
}

/** The time of groups of steps by the name of their kernel, the slowest first. */
export function sharesByKernel(groups: readonly StepGroup[], timings: readonly Timing[]): KernelShare[] {
  const shares = new Map<string, { kernel: string; dispatches: number; time: number }>();
  groups.forEach(({ kernel, dispatches }, i) => {
    const share = shares.get(kernel) ?? { kernel, dispatches: 0, time: 0 };
    share.dispatches += dispatches;
    share.time += timings[i].median;
    shares.set(kernel, share);
  });
  return [...shares.values()].sort((a, b) => b.time - a.time);
}
