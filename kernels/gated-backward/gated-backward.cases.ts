import { activationKinds } from "../activation/activation.reference.ts";
import { type Case, makeCase } from "../cases.ts";

const { silu, gelu, geluTanh, quickGelu } = activationKinds;

/** Every activation function; the MLP widths of Qwen2-0.5B and Vicuna-7B among single elements and primes. */
export const gatedBackwardCases: Case[] = [
  { rows: 1, width: 1, kind: silu },
  { rows: 3, width: 37, kind: gelu },
  { rows: 5, width: 896, kind: geluTanh },
  { rows: 7, width: 101, kind: quickGelu },
  { rows: 2, width: 4864, kind: silu },
  { rows: 1, width: 11008, kind: silu },
].map((params) =>
  makeCase(params, 1, (random) => ({
    x: random.normal(2 * params.rows * params.width),
    dy: random.normal(params.rows * params.width),
  })),
);
