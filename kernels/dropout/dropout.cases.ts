import { type Case, makeCase } from "../cases.ts";

/** Nothing dropped, the rates of LoRA, nearly all dropped, and seeds up to the largest. */
export const dropoutCases: Case[] = [
  { size: 1, rate: 0.5, seed: 0 },
  { size: 131, rate: 0, seed: 1 },
  { size: 10007, rate: 0.05, seed: 0xffffffff },
  { size: 896 * 37, rate: 0.1, seed: 0x9e3779b9 },
  { size: 4096, rate: 0.99, seed: 42 },
].map((params) => makeCase(params, 1, (random) => ({ x: random.normal(params.size) })));
