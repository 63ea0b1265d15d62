import { type Case, makeCase } from "../cases.ts";

/** The last but one takes more than 65,535 workgroups, so it is folded; the sizes do not fill the last row. */
export const addCases: Case[] = [1, 37, 64, 3 * 896, 4096, 65536 * 64 + 67, 577 * 4096].map((size) =>
  makeCase({ size }, 1, (random) => ({ a: random.normal(size), b: random.normal(size) }), {
    long: size === 577 * 4096,
  }),
);
