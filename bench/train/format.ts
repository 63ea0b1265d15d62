/** The tables of the training section. */
import type { TrainRecord } from "../records.ts";
import { giga, percent, shareTable, short, type Table } from "../table.ts";

/** Kernels that a table of shares has room for. */
const MOST_KERNELS = 12;

/** Speed, what was checked, loading, and where the time of a step goes. */
export function trainTables(records: readonly TrainRecord[]): Table[] {
  if (records.length === 0) return [];
  const loading = records.some((record) => record.loading) ? [loadingTable(records)] : [];
  return [speedTable(records), checkTable(records), ...loading, ...records.map(kernelTable)];
}

const nameOf = ({ model, trainable }: TrainRecord): string => `${model}: ${trainable}`;

function speedTable(records: readonly TrainRecord[]): Table {
  return {
    title: "Training steps, f32",
    head: [
      "model and what learns", "learning M", "samples", "tokens", "step ms", "min", "CPU ms", "tokens/s", "G multiply-adds/s", "of multiply-add",
      "beside it", "its ms", "min", "CPU ms", "speed-up",
    ],
    rows: records.map((record) => {
      const { learning, samples, tokens, timing, tokensPerSecond, multiplyAddsPerSecond, ofPeak, torch } = record;
      return [
        nameOf(record),
        short(learning / 1e6),
        `${samples}`,
        `${tokens}`,
        ...[timing.median, timing.min, timing.cpu, tokensPerSecond].map(short),
        giga(multiplyAddsPerSecond),
        percent(ofPeak),
        ...(torch
          ? [torch.name, ...[torch.timing.median, torch.timing.min, torch.timing.cpu].map(short), `${short(torch.speedup)} x`]
          : ["", "", "", "", ""]),
      ];
    }),
  };
}

function checkTable(records: readonly TrainRecord[]): Table {
  return {
    title: "Training, what was checked",
    head: ["model and what learns", "first loss", "a guess", "gradient norm", "off by at most", "last loss", "after steps", "planned MB", "allocated MB", "objects of a step"],
    rows: records.map((record) => {
      const { loss, guess, gradientNorm, off, lastLoss, steps, planned, allocated, objects } = record;
      return [
        nameOf(record),
        ...[loss, guess, gradientNorm].map((value) => value.toFixed(4)),
        off.map((other) => `${Math.max(other.loss, other.gradientNorm).toExponential(1)} (${other.name})`).join(", "),
        lastLoss.toFixed(4),
        `${steps}`,
        ...[planned, allocated].map((bytes) => short(bytes / 1e6)),
        `${Object.values(objects).reduce((sum, count) => sum + count, 0)}`,
      ];
    }),
  };
}

function loadingTable(records: readonly TrainRecord[]): Table {
  return {
    title: "Training, batches of PNG files made meanwhile",
    head: ["model and what learns", "step ms", "with loading ms", "ratio", "a batch alone ms", "of it hidden"],
    rows: records.flatMap((record) => {
      const { loading } = record;
      if (!loading) return [];
      const { step, withLoading, ratio, batch, hidden } = loading;
      return [[nameOf(record), short(step), short(withLoading), ratio.toFixed(3), short(batch), percent(hidden)]];
    }),
  };
}

function kernelTable(record: TrainRecord): Table {
  const all = record.byKernel.reduce((sum, { time }) => sum + time, 0);
  return shareTable(`a training step of ${nameOf(record)}`, record.byKernel.slice(0, MOST_KERNELS), all);
}
