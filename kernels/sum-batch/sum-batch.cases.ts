import { type Case, makeCase } from "../cases.ts";

/** One element, one sample, primes, a class token, and position embeddings of a small tower. */
export const sumBatchCases: Case[] = [
  { batch: 1, size: 1 },
  { batch: 1, size: 68 },
  { batch: 7, size: 131 },
  { batch: 64, size: 1024 },
  { batch: 13, size: 65 * 192 },
].map((params) => makeCase(params, params.batch, (random) => ({ x: random.normal(params.batch * params.size) })));
