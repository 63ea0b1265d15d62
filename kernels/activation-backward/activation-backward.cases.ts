import { type Case, makeCase } from "../cases.ts";

/** Normal samples at several sizes, the negative tail, and the range of f32, where a careless formula overflows. */
export const activationBackwardCases: Case[] = [
  ...[1, 37, 64, 5 * 1152].map((size) =>
    makeCase({ size }, 1, (random) => ({ x: random.normal(size, 0, 2), dy: random.normal(size) })),
  ),
  makeCase(
    { size: 1020 },
    1,
    (random) => ({ x: random.normal(1020, -3, 2).map((value) => Math.min(value, 0)), dy: random.normal(1020) }),
    { note: "negative tail" },
  ),
  makeCase(
    { size: 2004 },
    1,
    (random) => ({ x: Float32Array.from({ length: 2004 }, (_, i) => (i - 1002) * 10), dy: random.normal(2004) }),
    { note: "to ±1e4" },
  ),
  makeCase(
    { size: 6 },
    1,
    () => ({ x: new Float32Array([-3e38, -1e20, -1e13, 1e13, 1e20, 3e38]), dy: new Float32Array(6).fill(1) }),
    { note: "to the end of f32" },
  ),
];
