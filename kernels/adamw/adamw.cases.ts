import { type Case, makeCase } from "../cases.ts";

interface Shape {
  note: string;
  offset?: number;
  count: number;
  /** Elements behind the block, which must keep their values. */
  behind?: number;
  step: number;
  learningRate: number;
  weightDecay?: number;
  maxNorm?: number;
  norm?: number;
}

const shapes: Shape[] = [
  { note: "one element, first step", count: 1, step: 1, learningRate: 1e-3 },
  { note: "primes with decay", offset: 3, count: 37, behind: 5, step: 7, learningRate: 1e-3, weightDecay: 0.1 },
  { note: "clipped", offset: 1, count: 67, step: 2, learningRate: 1e-2, maxNorm: 1, norm: 8 },
  { note: "below the largest norm", count: 131, step: 2, learningRate: 1e-2, maxNorm: 1, norm: 0.5 },
  { note: "quads", offset: 8, count: 1028, behind: 4, step: 3, learningRate: 2e-5, maxNorm: 1, norm: 3 },
  { note: "no learning", count: 300, step: 1, learningRate: 0, weightDecay: 0.1 },
  { note: "a projection of CLIP-L", count: 65536, step: 1000, learningRate: 1e-3, maxNorm: 1, norm: 2 },
];

/** The first and later steps, with and without decay and clipping, on part of a buffer. */
export const adamWCases: Case[] = shapes.map((shape) => {
  const { offset = 0, count, behind = 0, step, learningRate, weightDecay = 0, maxNorm = 0, norm = NaN } = shape;
  const [beta1, beta2] = [0.9, 0.999];
  const params = {
    offset, count, learningRate, beta1, beta2, share1: 1 - beta1, share2: 1 - beta2, epsilon: 1e-8, weightDecay,
    correction1: 1 - beta1 ** step, correction2: 1 - beta2 ** step, maxNorm,
  };
  const length = offset + count + behind;
  return makeCase(params, 4, (random) => ({
    gradient: random.normal(length),
    // Without clipping, the norm must not be read.
    norm: Float32Array.of(norm),
    parameter: random.normal(length),
    m: random.normal(length, 0, step === 1 ? 0 : 0.1),
    v: random.normal(length, 0, step === 1 ? 0 : 0.3).map((value) => value * value),
  }), { note: shape.note });
});
