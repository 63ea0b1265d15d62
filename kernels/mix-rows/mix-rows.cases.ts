import { type Case, makeCase } from "../cases.ts";

/** A gather, bilinear resizing (4 taps) and pooling (9 taps) at widths of real models; x has `from` rows. */
export const mixRowsCases: Case[] = [
  { rows: 1, taps: 1, width: 1, from: 1 },
  { rows: 7, taps: 3, width: 37, from: 11 },
  { rows: 5, taps: 9, width: 1152, from: 45 },
  { rows: 196, taps: 4, width: 896, from: 729 },
  { rows: 13, taps: 1, width: 4096, from: 29 },
].map(({ from, ...params }) =>
  makeCase(
    params,
    params.taps,
    (random) => ({
      x: random.normal(from * params.width),
      index: random.integers(params.rows * params.taps, from),
      weight: random.normal(params.rows * params.taps),
    }),
    { note: `from=${from}` },
  ),
);
