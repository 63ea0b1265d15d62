import { type Case, makeCase } from "../cases.ts";
import type { Random } from "../random.ts";
import { crossEntropyReference, IGNORED_LABEL } from "./cross-entropy.reference.ts";

interface Shape {
  note: string;
  rows: number;
  width: number;
  firstRow?: number;
  /** Entries of labels, weight, loss and lse behind the rows. */
  behind?: number;
  deviation?: number;
  /** Share of the labels that count. */
  counting?: number;
}

const shapes: Shape[] = [
  { note: "one class", rows: 1, width: 1 },
  { note: "primes", rows: 7, width: 13, firstRow: 3, behind: 2, counting: 0.5 },
  { note: "primes beyond a workgroup", rows: 5, width: 521, deviation: 3 },
  { note: "quads", rows: 9, width: 1028, firstRow: 1, counting: 0.7 },
  { note: "all ignored", rows: 4, width: 36, counting: 0 },
  { note: "large logits", rows: 3, width: 300, deviation: 100 },
  { note: "beyond a block of columns", rows: 2, width: 4099, counting: 0.5 },
  { note: "SmolLM2 vocabulary", rows: 3, width: 49152 },
  { note: "Qwen2 vocabulary", rows: 1, width: 151936 },
];

function inputsOf({ rows, width, firstRow = 0, behind = 0, deviation = 1, counting = 1 }: Shape, random: Random) {
  const length = firstRow + rows + behind;
  return {
    logits: random.normal(rows * width, 0, deviation),
    labels: Uint32Array.from({ length }, () => (random.uniform() < counting ? random.integer(width) : IGNORED_LABEL)),
    weight: Float32Array.from({ length }, () => 0.1 + random.uniform()),
  };
}

/** Rows of a block of logits, counting and ignored, up to the vocabulary of Qwen2. */
export const crossEntropyCases: Case[] = shapes.map((shape) => {
  const { note, rows, width, firstRow = 0 } = shape;
  return makeCase({ rows, width, firstRow }, width, (random) => {
    const inputs = inputsOf(shape, random);
    const { length } = inputs.labels;
    return { ...inputs, loss: random.normal(length), lse: random.normal(length) };
  }, { note });
});

/**
 * The same rows with the log-sum-exp of the forward pass. Before exp, logits - lse is rounded to the precision of the
 * logits, which grow with their deviation; exp itself may be a few units off.
 */
export const crossEntropyBackwardCases: Case[] = shapes.map((shape) => {
  const { note, rows, width, firstRow = 0, deviation = 1 } = shape;
  const params = { rows, width, firstRow };
  return makeCase(params, 1, (random) => {
    const inputs = inputsOf(shape, random);
    return { ...inputs, lse: crossEntropyReference(inputs, params).lse };
  }, { note, builtins: 4 + deviation });
});
