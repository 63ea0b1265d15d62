import { type Case, makeCase } from "../cases.ts";

/** Odd widths, a block in the middle of a table of `vocabulary` rows, and the widths of Qwen2-0.5B and Vicuna-7B. */
export const embeddingCases: Case[] = [
  { rows: 1, width: 1, first: 0, count: 1, vocabulary: 1 },
  { rows: 13, width: 7, first: 5, count: 11, vocabulary: 29 },
  { rows: 5, width: 37, first: 0, count: 3, vocabulary: 3 },
  { rows: 7, width: 896, first: 100, count: 53, vocabulary: 200 },
  { rows: 3, width: 4096, first: 0, count: 101, vocabulary: 101 },
].map(({ vocabulary, ...params }) =>
  makeCase(
    params,
    1,
    (random) => ({
      ids: random.integers(params.rows, vocabulary),
      weight: random.normal(params.count * params.width),
      y: random.normal(params.rows * params.width),
    }),
    { note: `vocabulary=${vocabulary}` },
  ),
);
