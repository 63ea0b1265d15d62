import { type Case, makeCase } from "../cases.ts";

/** One element, zeros, primes, tiny values, and a projection of a small CLIP. */
export const unitNormCases: Case[] = [
  { size: 1, epsilon: 1e-7 },
  { size: 131, epsilon: 1e-7, deviation: 0 },
  { size: 257, epsilon: 1e-7 },
  { size: 1021, epsilon: 1e-7, deviation: 1e-12 },
  { size: 65536, epsilon: 1e-7, deviation: 1e-4 },
].map(({ deviation = 1, ...params }) =>
  makeCase(params, 1, (random) => {
    const x = random.normal(params.size, 0, deviation);
    return { x, square: Float32Array.of(x.reduce((sum, value) => sum + value * value, 0)) };
  }, { note: `values about ${deviation}` }),
);

/** One element, primes, whole groups, and widths of small and real models. */
export const newtonSchulzCases: Case[] = [1, 2, 13, 64, 131, 384].map((n) =>
  makeCase({ n, a: 3.4445, b: -4.775, c: 2.0315 }, 2, (random) => ({ x: random.normal(n * n), x2: random.normal(n * n) })),
);
