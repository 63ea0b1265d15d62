import { type Case, makeCase } from "../cases.ts";

interface Block {
  note: string;
  offset?: number;
  count: number;
  /** Elements behind the block, which must keep their values. */
  behind?: number;
}

const momentumBlocks: (Block & { momentum?: number; maxNorm?: number; norm?: number; first?: boolean })[] = [
  { note: "one element, first step", count: 1, first: true },
  { note: "primes inside a stack", offset: 3, count: 37, behind: 5 },
  { note: "clipped", offset: 1, count: 67, maxNorm: 1, norm: 8 },
  { note: "below the largest norm", count: 131, maxNorm: 1, norm: 0.5 },
  { note: "no momentum", count: 300, momentum: 0 },
  { note: "the key of a stack of three in a small CLIP", offset: 65536, count: 65536, behind: 65536, maxNorm: 1, norm: 2 },
];

/** First and later steps, with and without clipping, on part of a buffer. */
export const muonMomentumCases: Case[] = momentumBlocks.map((block) => {
  const { offset = 0, count, behind = 0, momentum = 0.95, maxNorm = 0, norm = NaN, first = false } = block;
  const length = offset + count + behind;
  return makeCase({ offset, count, momentum, share: 1 - momentum, maxNorm }, 2, (random) => ({
    gradient: random.normal(length),
    // Without clipping, the norm must not be read.
    norm: Float32Array.of(norm),
    m: random.normal(length, 0, first ? 0 : 0.1),
  }), { note: block.note });
});

const updateBlocks: (Block & { learningRate: number; weightDecay?: number; factor?: number })[] = [
  { note: "one element", count: 1, learningRate: 1e-3 },
  { note: "primes with decay inside a stack", offset: 3, count: 37, behind: 5, learningRate: 1e-2, weightDecay: 0.1 },
  { note: "no learning", count: 300, learningRate: 0, weightDecay: 0.1 },
  { note: "large steps", count: 131, learningRate: 0.5, factor: 12 },
  { note: "a projection of CLIP-L", count: 65536, learningRate: 2e-3, weightDecay: 0.05, factor: 0.2 * Math.sqrt(1024) },
];

/** Steps with and without decay, on part of a buffer. */
export const muonUpdateCases: Case[] = updateBlocks.map((block) => {
  const { offset = 0, count, behind = 0, learningRate, weightDecay = 0, factor = 0.2 } = block;
  return makeCase({ offset, count, learningRate, factor, weightDecay }, 2, (random) => ({
    direction: random.normal(count, 0, 0.1),
    parameter: random.normal(offset + count + behind),
  }), { note: block.note });
});
