import { type Case, makeCase } from "../cases.ts";

const sizes = [1, 2, 37, 129, 5 * 896, 4096];
const patterns = 20011;

/** Weights of ordinary size, and some that are subnormal in half precision. */
export const unpackCases: Case[] = [
  ...sizes.map((size) => makeCase({ size }, 1, (random) => ({ x: random.normal(size) }))),
  makeCase({ size: 1021 }, 1, (random) => ({ x: random.normal(1021, 0, 1e-5) }), { note: "subnormal" }),
];

/** Exact half-precision numbers, the ties between them, their neighbours, the ends of the range, and random bits. */
export const packCases: Case[] = [
  ...sizes.map((size) => makeCase({ size }, 1, (random) => ({ x: random.normal(size) }))),
  makeCase({ size: edges().length }, 1, () => ({ x: edges() }), { note: "edges" }),
  makeCase({ size: patterns }, 1, (random) => ({ x: numbers(random.integers(patterns, 2 ** 32)) }), {
    note: "any bits",
  }),
];

/** Ties in every binade of half precision and the f32 numbers on both sides of them, both signs, zero and infinity. */
function edges(): Float32Array {
  const values = [0, 2 ** -24, 2 ** -25, 2 ** -26, 3 * 2 ** -25, 1e-40, 65504, 65519.996, 65520, 65536, 1e38];
  values.push(Infinity, NaN);
  for (let exponent = -14; exponent <= 15; exponent++) {
    for (const step of [0, 0.5, 1, 1.5, 511.5, 1022.5, 1023, 1023.5]) values.push(2 ** exponent * (1 + step / 1024));
    for (const step of [0.5, 1.5, 700.5]) values.push(2 ** exponent * (1 + step / 1024) * (1 + 2 ** -23));
    for (const step of [0.5, 1.5, 700.5]) values.push(2 ** exponent * (1 + step / 1024) * (1 - 2 ** -23));
  }
  return Float32Array.from([...values, ...values.map((value) => -value)]);
}

/** The f32 numbers with the given bits; NaN, of which there are many, becomes 1. */
function numbers(bits: Uint32Array): Float32Array {
  return new Float32Array(bits.buffer as ArrayBuffer).map((value) => (Number.isNaN(value) ? 1 : value));
}
