/** Reports as text: the same tables for the terminal and, as Markdown, for files. */
import type { BenchReport, KernelRecord, ModelRecord, PeerRecord } from "./records.ts";
import { giga, markdownTable, percent, plainTable, shareTable, short, type Table } from "./table.ts";
import { trainTables } from "./train/format.ts";

/** One line about the machine and the moment. */
export function environmentLines({ environment: e }: BenchReport): string[] {
  const size = e.subgroupSize.min === e.subgroupSize.max ? `${e.subgroupSize.max}` : `${e.subgroupSize.min} to ${e.subgroupSize.max}`;
  return [
    `${e.adapter}: ${e.driver || "no description"}; subgroups of ${size}; ${e.how}`,
    `features ${e.features.join(", ") || "none"}`,
    `Node ${e.node}, ${e.platform}, ${e.cores} cores of ${e.cpu}, load ${e.load.join(" ")}, commit ${e.commit}, ${e.date}${e.quick ? ", quick" : ""}`,
  ];
}

/** Everything that was measured, as tables. */
export function tables(report: BenchReport): Table[] {
  const { peaks, kernels, peers, overhead, models, trainings = [] } = report;
  const all: Table[] = [];
  if (peaks) {
    all.push({
      title: "Measured peaks",
      head: ["peak", "median ms", "min ms", "rate"],
      rows: [
        ["copy kernel, read and written", short(peaks.copyTiming.median), short(peaks.copyTiming.min), `${giga(peaks.copy)} GB/s`],
        ["multiply-add kernel", short(peaks.multiplyAddTiming.median), short(peaks.multiplyAddTiming.min), `${giga(peaks.multiplyAdd)} GFLOP/s`],
      ],
    });
  }
  if (kernels.length > 0) all.push(kernelTable(kernels));
  if (peers.length > 0) all.push(peerTable(peers));
  if (overhead) {
    all.push({
      title: `Host cost, a program of ${overhead.dispatches} dispatches`,
      head: ["", "figure"],
      rows: [
        ["encode and submit, per dispatch", `${short(overhead.encode)} us`],
        ["until done, per dispatch", `${short(overhead.total)} us`],
        ["submit, run and read back one", `${short(overhead.roundTrip)} ms`],
      ],
    });
  }
  if (models.length > 0) all.push(modelTable(models), ...models.map(({ model, byKernel, kernels }) => shareTable(`a decode step of ${model}`, byKernel, kernels)));
  all.push(...trainTables(trainings));
  return all;
}

function kernelTable(kernels: readonly KernelRecord[]): Table {
  return {
    title: "Kernels (* what the library picks here)",
    head: ["operation", "kernel", "weight", "median ms", "min ms", "CPU ms", "GFLOP/s", "GB/s", "of multiply-add", "of copy"],
    rows: kernels.map((record) => [
      record.workload,
      record.kernel + (record.chosen ? " *" : ""),
      record.weight,
      short(record.timing.median),
      short(record.timing.min),
      short(record.timing.cpu),
      giga(record.flops),
      giga(record.bytes),
      percent(record.ofMultiplyAdd),
      percent(record.ofCopy),
    ]),
  };
}

function peerTable(peers: readonly PeerRecord[]): Table {
  return {
    title: "Peers, f32, host to host: uploading, running and reading back",
    head: ["operation", "our kernel", "our ms", "min", "CPU ms", "peer", "peer's ms", "min", "CPU ms", "speed-up", "of minima", "of CPU time", "peer is off by"],
    rows: peers.map(({ workload, kernel, ours, peer, theirs, speedup, speedupOfMinima, speedupOfCpu, difference }) => [
      workload,
      kernel,
      ...[ours.median, ours.min, ours.cpu].map(short),
      peer,
      ...[theirs.median, theirs.min, theirs.cpu].map(short),
      ...[speedup, speedupOfMinima, speedupOfCpu].map((ratio) => `${short(ratio)} x`),
      difference.toExponential(1),
    ]),
  };
}

function modelTable(models: readonly ModelRecord[]): Table {
  return {
    title: "Models",
    head: ["model", "weights", "prompt", "first token ms", "cold ms", "prefill tokens/s", "step ms", "step CPU ms", "kernels ms", "step / kernels", "tokens/s"],
    rows: models.map((m) => [
      m.model,
      m.weights,
      `${m.promptTokens}`,
      short(m.firstToken),
      short(m.coldFirstToken),
      short(m.prefill),
      short(m.step),
      short(m.stepCpu),
      short(m.kernels),
      short(m.ratio),
      short(m.tokensPerSecond),
    ]),
  };
}

/** The whole report for a terminal. */
export function plainReport(report: BenchReport): string {
  const { notes, failures } = report;
  return [
    environmentLines(report).join("\n"),
    ...tables(report).map(plainTable),
    ...(notes.length > 0 ? [notes.map((note) => `note: ${note}`).join("\n")] : []),
    ...(failures.length > 0 ? [failures.map((failure) => `FAILED: ${failure}`).join("\n")] : []),
  ].join("\n\n");
}

/** The whole report as Markdown. */
export function markdownReport(report: BenchReport): string {
  const { environment, notes, failures } = report;
  return [
    `## ${environment.adapter}, ${environment.date.slice(0, 10)}`,
    environmentLines(report).map((line) => `- ${line}`).join("\n"),
    ...tables(report).map(markdownTable),
    ...(notes.length > 0 ? [notes.map((note) => `- note: ${note}`).join("\n")] : []),
    ...(failures.length > 0 ? [failures.map((failure) => `- **failed**: ${failure}`).join("\n")] : []),
  ].join("\n\n");
}
