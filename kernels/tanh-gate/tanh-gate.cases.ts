import { type Case, makeCase } from "../cases.ts";

const shapes = [
  { size: 1, gate: 0.7 },
  { size: 131, gate: 0 },
  { size: 260, gate: 1e-4 },
  { size: 67, gate: -0.999 },
  { size: 68, gate: 1.001 },
  { size: 515, gate: -3 },
  { size: 37 * 2048, gate: 500 },
];

/** Sizes from one element to rows of a decoder, with gates shut, hardly open, on both sides of 1, and wide open. */
export const tanhGateCases: Case[] = [
  ...shapes.map(({ size, gate }) =>
    makeCase(
      { size },
      1,
      (random) => ({ x: random.normal(size), z: random.normal(size), gate: Float32Array.of(gate) }),
      { note: `gate=${gate}` },
    ),
  ),
  // Beside x = 0, an error of the tangent counts as a share of the tangent.
  ...[1e-5, 0.3].map((gate) =>
    makeCase(
      { size: 5 },
      1,
      (random) => ({ x: new Float32Array(5), z: random.normal(5), gate: Float32Array.of(gate) }),
      { note: `gate=${gate}, x=0` },
    ),
  ),
];
