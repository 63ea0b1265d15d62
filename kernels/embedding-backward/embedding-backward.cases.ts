import { type Case, makeCase } from "../cases.ts";

/** Every id the same, a block in the middle of the vocabulary, more tokens than one scan holds, and real widths. */
export const embeddingBackwardCases: Case[] = [
  { rows: 1, width: 1, first: 0, count: 1, accumulate: 0, vocabulary: 1 },
  { rows: 67, width: 3, first: 0, count: 2, accumulate: 1, vocabulary: 1 },
  { rows: 131, width: 37, first: 5, count: 11, accumulate: 0, vocabulary: 29 },
  { rows: 131, width: 68, first: 5, count: 11, accumulate: 1, vocabulary: 29 },
  { rows: 4099, width: 5, first: 3, count: 13, accumulate: 0, vocabulary: 17 },
  { rows: 2111, width: 67, first: 1, count: 150, accumulate: 1, vocabulary: 151 },
  { rows: 71, width: 896, first: 100, count: 53, accumulate: 1, vocabulary: 200 },
].map(({ vocabulary, ...params }) =>
  makeCase(
    params,
    Math.ceil(params.rows / vocabulary),
    (random) => ({
      ids: random.integers(params.rows, vocabulary),
      dy: random.normal(params.rows * params.width),
      y: random.normal(params.count * params.width),
    }),
    { note: `vocabulary=${vocabulary}` },
  ),
);
