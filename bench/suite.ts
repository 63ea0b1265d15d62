/** All benchmarks in order: peaks, kernels with their peers, overhead, models, training. */
import { chooseAdapter } from "../src/gpu/adapter.ts";
import type { FoundAdapter } from "../src/gpu/adapter.ts";
import { Gpu } from "../src/gpu/gpu.ts";
import { defaultModel } from "../src/default-model.ts";
import { chooseKernel } from "../src/graph/choose.ts";
import { difference } from "../test/harness/difference.ts";
import { Dispatch } from "./dispatch.ts";
import { environmentOf } from "./environment.ts";
import { ratesOf, timeVariants, type Verified, verifyWorkload } from "./kernels.ts";
import { type Contender, race, speedup, timed } from "./measure.ts";
import { measureModel, type ModelWork } from "./models.ts";
import { type BenchOptions, isWanted, raceOptions } from "./options.ts";
import { measureOverhead } from "./overhead.ts";
import { peakWorkloads } from "./peaks/peaks.ts";
import { Peer, peerFolder } from "./peers/peer.ts";
import { Torch } from "./peers/torch.ts";
import type { BenchReport, Peaks } from "./records.ts";
import { problemsOf } from "./train/checks.ts";
import { trainSizes } from "./train/sizes.ts";
import { measureTraining } from "./train/train.ts";
import { type Workload, workloads } from "./workloads.ts";

/** A question about a sample of the embedded model. */
const QUESTION = { images: [new URL("samples/octopus.png", defaultModel())], prompt: "What is this?" };

/** A prompt of a few sentences. */
const STORY = { prompt: `Summarise: ${"The old lighthouse keeper climbed the stairs every evening and lit the lamp for the ships. ".repeat(5)}` };

/** Runs what the options ask for. What is wrong or missing is listed in the report; only a machine without a fitting adapter throws. */
export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const found = await chooseAdapter(options.adapter);
  const gpu = await Gpu.open(found);
  const report: BenchReport = {
    environment: environmentOf(found, gpu, options.quick),
    peaks: undefined,
    kernels: [],
    peers: [],
    overhead: undefined,
    models: [],
    trainings: [],
    notes: [],
    failures: [],
  };
  try {
    options.progress("peaks");
    report.peaks = await measurePeaks(gpu, options, (message) => report.failures.push(message));
    const wanted = workloads(options.quick).filter(({ label }) => isWanted(options, "kernels", label));
    const peers = wanted.some(({ peer }) => peer) ? startPeers(found, options, report) : [];
    try {
      for (const workload of wanted) {
        options.progress(workload.label);
        await benchWorkload(gpu, found, workload, peers, options, report);
      }
    } finally {
      for (const peer of peers) peer.stop();
    }
    if (isWanted(options, "overhead")) {
      options.progress("overhead");
      await guarded(report, "overhead", async () => {
        report.overhead = await measureOverhead(gpu, found.name, options.quick);
      });
    }
  } finally {
    await gpu.dispose();
  }
  for (const work of modelWorks(options, report)) {
    options.progress(work.name);
    await guarded(report, work.name, async () => {
      report.models.push(await measureModel(found, work, raceOptions(options)));
    });
  }
  await benchTraining(found, options, report);
  return report;
}

/** A failure of one part must not lose what the others measured. */
async function guarded(report: BenchReport, name: string, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    report.failures.push(`${name}: ${(error as Error).message}`);
  }
}

async function measurePeaks(gpu: Gpu, options: BenchOptions, fail: (message: string) => void): Promise<Peaks> {
  const loads = peakWorkloads({ software: gpu.traits.software, quick: options.quick });
  const pair = [...(await verifyWorkload(gpu, loads.copy, fail)), ...(await verifyWorkload(gpu, loads.multiplyAdd, fail))];
  if (pair.length < 2) throw new Error("the peaks of this adapter cannot be measured: a kernel that copies or one that only computes gives wrong results");
  const dispatches: Dispatch[] = [];
  for (const { work } of pair) dispatches.push(await Dispatch.create(gpu, work));
  const [copyTiming, multiplyAddTiming] = await race(dispatches, raceOptions(options));
  for (const dispatch of dispatches) dispatch.dispose();
  return {
    copy: ratesOf(pair[0].work, copyTiming).bytes,
    multiplyAdd: ratesOf(pair[1].work, multiplyAddTiming).flops,
    copyTiming,
    multiplyAddTiming,
  };
}

function startPeers(found: FoundAdapter, options: BenchOptions, report: BenchReport): Peer[] {
  if (options.peers === false) return [];
  const folder = peerFolder(options.peers);
  if (!folder) {
    report.notes.push("no peers: onnxruntime-node is not installed; run `npm run bench:peers` or name a folder that has it with --peers");
    return [];
  }
  const peers = (["webgpu", "cpu"] as const).map((provider) => Peer.start(folder, provider, found));
  if (!peers[0]) report.notes.push(`no WebGPU peer: another process cannot be pointed to ${found.name} (${found.how})`);
  return peers.filter((peer) => peer !== undefined);
}

async function benchWorkload(gpu: Gpu, found: FoundAdapter, workload: Workload, peers: readonly Peer[], options: BenchOptions, report: BenchReport): Promise<void> {
  const { label } = workload;
  await guarded(report, label, async () => {
    const verified = await verifyWorkload(gpu, workload, (message) => report.failures.push(message));
    if (verified.length === 0) return;
    report.kernels.push(...(await timeVariants(gpu, found.name, label, verified, report.peaks!, raceOptions(options))));
    if (workload.peer && peers.length > 0) await benchPeers(gpu, found, workload, verified, peers, options, report);
  });
}

/** Times the library's own choice, f32 weights, against the peers: all from host to host. */
async function benchPeers(
  gpu: Gpu,
  found: FoundAdapter,
  { label, peer, example }: Workload,
  verified: readonly Verified[],
  peers: readonly Peer[],
  options: BenchOptions,
  report: BenchReport,
): Promise<void> {
  const { upload, download, call } = peer!;
  const chosen = verified.find(({ work }) => work.weight === "f32" && chooseKernel(work.family, example.params, gpu.traits).name === work.kernel.name);
  if (!chosen) return;
  const { work } = chosen;
  const wanted = work.outputs[download[0]];
  const request = call(work.inputs);
  const ready: { peer: Peer; off: number }[] = [];
  for (const each of peers) {
    try {
      await each.load(request);
      const off = difference(await each.result(), wanted).share;
      ready.push({ peer: each, off });
      if (off > 1e-4) report.notes.push(`${each.name} gets ${label} wrong: off by ${off.toExponential(2)} of the largest value; its time says little`);
    } catch (error) {
      report.notes.push(`${label}: ${(error as Error).message}`);
    }
  }
  if (ready.length === 0) return;
  const dispatch = await Dispatch.create(gpu, work);
  const ours: Contender = {
    sample: (repeats) => timed(async () => {
      for (let i = 0; i < repeats; i++) await dispatch.call(upload, download);
    }),
  };
  const others = ready.map((each): Contender => ({ sample: (repeats) => each.peer.run(repeats) }));
  // ONNX Runtime's CPU threads go on spinning for a while after a run.
  const [ourTiming, ...theirs] = await race([ours, ...others], { ...raceOptions(options), rest: 100 });
  dispatch.dispose();
  theirs.forEach((timing, i) => {
    report.peers.push({
      workload: label,
      peer: ready[i].peer.name,
      adapter: found.name,
      kernel: work.kernel.name,
      ours: ourTiming,
      theirs: timing,
      speedup: speedup(timing, ourTiming),
      speedupOfMinima: timing.min / ourTiming.min,
      speedupOfCpu: timing.cpu / ourTiming.cpu,
      difference: ready[i].off,
    });
  });
}

async function benchTraining(found: FoundAdapter, options: BenchOptions, report: BenchReport): Promise<void> {
  const wanted = trainSizes(options.quick).filter(({ name }) => isWanted(options, `train ${name}`));
  if (wanted.length === 0) return;
  const torch = await startTorch(options, report);
  try {
    for (const size of wanted) {
      const label = `train ${size.name}`;
      options.progress(label);
      await guarded(report, label, async () => {
        for (const record of await measureTraining(size, { found, peaks: report.peaks!, torch, race: raceOptions(options) })) {
          report.trainings!.push(record);
          report.failures.push(...problemsOf(record).map((problem) => `${label}, ${record.trainable}: ${problem}`));
        }
      });
    }
  } finally {
    torch?.stop();
  }
}

async function startTorch({ python, peers }: BenchOptions, report: BenchReport): Promise<Torch | undefined> {
  if (peers === false) return undefined;
  if (python === undefined) {
    report.notes.push("no PyTorch: name a Python that has torch and transformers with --python");
    return undefined;
  }
  try {
    return await Torch.start(python);
  } catch (error) {
    report.notes.push((error as Error).message);
    return undefined;
  }
}

function modelWorks(options: BenchOptions, report: BenchReport): ModelWork[] {
  const works: ModelWork[] = [];
  if (isWanted(options, "model", "embedded model")) works.push({ name: "embedded model", folder: defaultModel(), weights: "auto", request: QUESTION });
  if (isWanted(options, "model", "smollm2")) {
    if (options.smollm2) works.push({ name: "SmolLM2-135M", folder: options.smollm2, weights: "f16", request: STORY });
    else report.notes.push("no SmolLM2: name a checkpoint folder with --smollm2");
  }
  return works;
}
