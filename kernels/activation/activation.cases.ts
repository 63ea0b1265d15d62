import { type Case, makeCase } from "../cases.ts";

/** Normal samples at several sizes, and the whole range from -1e4 to 1e4, where a careless formula overflows. */
export const activationCases: Case[] = [
  ...[1, 37, 64, 5 * 1152].map((size) => makeCase({ size }, 1, (random) => ({ x: random.normal(size, 0, 2) }))),
  makeCase({ size: 1020 }, 1, (random) => ({ x: random.normal(1020, -3, 2).map((value) => Math.min(value, 0)) }), {
    note: "negative tail",
  }),
  makeCase({ size: 2004 }, 1, () => ({ x: Float32Array.from({ length: 2004 }, (_, i) => (i - 1002) * 10) }), {
    note: "to ±1e4",
  }),
  makeCase({ size: 577 * 4096 }, 1, (random) => ({ x: random.normal(577 * 4096) }), { long: true, note: "CLIP-L MLP" }),
];
