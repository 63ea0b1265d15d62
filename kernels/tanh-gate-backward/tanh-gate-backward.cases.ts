import { type Case, makeCase } from "../cases.ts";

/** Sizes from one element to rows of a decoder, with gates shut, hardly open, on both sides of 1, and wide open. */
const shapes = [
  { size: 1, gate: 0.7 },
  { size: 131, gate: 0 },
  { size: 260, gate: 1e-4 },
  { size: 67, gate: -0.999 },
  { size: 68, gate: 1.001 },
  { size: 4099, gate: -3 },
  { size: 37 * 2048, gate: 500 },
];

export const tanhGateBackwardCases: Case[] = shapes.map(({ size, gate }) => {
  const inputs = { gate: Float32Array.of(gate) };
  return makeCase({ size }, 1, (random) => ({ ...inputs, dy: random.normal(size) }), { note: `gate=${gate}` });
});

export const tanhGateBackwardGateCases: Case[] = shapes.map(({ size, gate }) => {
  const inputs = { gate: Float32Array.of(gate) };
  return makeCase({ size }, size, (random) => ({ z: random.normal(size), ...inputs, dy: random.normal(size) }), { note: `gate=${gate}` });
});
