import { type Case, makeCase } from "../cases.ts";

/** Rows with special values: equal largest elements, infinities, the ends of f32, zeros of both signs, NaN. */
const special = { rows: 9, width: 300 };

/** Vocabularies of LLaMA (32,000) and Qwen2 (151,936 padded to 152,064) among single elements and primes. */
export const argmaxCases: Case[] = [
  ...[
    { rows: 1, width: 1 },
    { rows: 5, width: 255 },
    { rows: 3, width: 257 },
    { rows: 2, width: 32000 },
    { rows: 1, width: 152064 },
  ].map((params) => makeCase(params, 1, (random) => ({ x: random.normal(params.rows * params.width) }))),
  makeCase(
    special,
    1,
    (random) => {
      const x = random.normal(special.rows * special.width);
      const row = (r: number) => x.subarray(r * special.width, (r + 1) * special.width);
      row(0).fill(3, 100);
      row(1).fill(-Infinity);
      row(2)[299] = NaN;
      row(3)[17] = Infinity;
      row(3)[280] = Infinity;
      row(4).fill(-1).fill(-0, 40, 90).fill(0, 60, 70);
      row(5).fill(NaN);
      row(6).fill(-5).fill(-1e-40, 259, 260);
      row(7).fill(-Infinity).fill(-3.4028234663852886e38, 123, 124);
      row(8).fill(-Infinity, 0, 200)[280] = 3.4028234663852886e38;
      return { x };
    },
    { note: "ties, infinities, zeros, NaN" },
  ),
];
