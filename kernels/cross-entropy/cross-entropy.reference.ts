import type { HostArrays, Params } from "../kernel.ts";
import { startingFrom } from "../output.ts";

/** The label of a row that does not count: loss and gradient are 0. */
export const IGNORED_LABEL = 0xffffffff;

/** The parameters of `cross-entropy` and `cross-entropy-backward`. */
export type CrossEntropyParam = "rows" | "width" | "firstRow";

/** lse[f + r] = log sum_c exp(logits[r, c]), loss[f + r] = weight[f + r] · (lse[f + r] - logits[r, labels[f + r]]). */
export function crossEntropyReference(
  inputs: HostArrays<"logits" | "labels" | "weight"> & Partial<HostArrays<"loss" | "lse">>,
  { rows, width, firstRow }: Params<CrossEntropyParam>,
): HostArrays<"loss" | "lse"> {
  const { logits, labels, weight } = inputs;
  const loss = startingFrom(inputs.loss, labels.length);
  const lse = startingFrom(inputs.lse, labels.length);
  for (let r = 0; r < rows; r++) {
    const entry = firstRow + r;
    const label = labels[entry];
    let logSum = 0;
    let surprise = 0;
    if (label !== IGNORED_LABEL) {
      const row = logits.subarray(r * width, (r + 1) * width);
      let largest = -Infinity;
      for (const value of row) largest = Math.max(largest, value);
      let sum = 0;
      for (const value of row) sum += Math.exp(value - largest);
      logSum = largest + Math.log(sum);
      surprise = weight[entry] * (logSum - row[label]);
    }
    loss[entry] = surprise;
    lse[entry] = logSum;
  }
  return { loss, lse };
}

/** logits[r, c] = weight[f + r] · (exp(logits[r, c] - lse[f + r]) - [c = labels[f + r]]), 0 in ignored rows. */
export function crossEntropyBackwardReference(
  { labels, weight, lse, logits: before }: HostArrays<"labels" | "weight" | "lse"> & Partial<HostArrays<"logits">>,
  { rows, width, firstRow }: Params<CrossEntropyParam>,
): HostArrays<"logits"> {
  const logits = startingFrom(before, rows * width);
  for (let r = 0; r < rows; r++) {
    const entry = firstRow + r;
    for (let c = 0; c < width; c++) {
      const hit = c === labels[entry] ? 1 : 0;
      logits[r * width + c] =
        labels[entry] === IGNORED_LABEL ? 0 : weight[entry] * (Math.exp(logits[r * width + c] - lse[entry]) - hit);
    }
  }
  return { logits };
}
