/** What the adapter can do at best, measured in the same run as everything that is compared with it. */
import { family, kernel } from "../../kernels/kernel.ts";
import { makeCase } from "../../kernels/cases.ts";
import type { Workload } from "../workloads.ts";
import copyCode from "./copy.wgsl?raw";
import multiplyAddCode from "./multiply-add.wgsl?raw";

const bindings = { read: ["x"], write: ["y"] } as const;

/** Floating-point operations of one step of an invocation. */
const FLOPS_PER_STEP = 64;

/** y = x by vectors of 16 bytes. */
export const copy = family({
  name: "copy",
  variants: [
    kernel({ name: "copy", code: copyCode, ...bindings, params: ["vectors"], needs: [], groups: ({ vectors }) => Math.ceil(vectors / 256) }),
  ],
  reference: ({ x }) => ({ y: x }),
  cost: ({ vectors }) => ({ flops: 0, bytes: 32 * vectors }),
});

/** Eight chains of fused multiply-adds in registers. */
export const multiplyAdd = family({
  name: "multiply-add",
  variants: [
    kernel({
      name: "multiply-add",
      code: multiplyAddCode,
      ...bindings,
      params: ["vectors", "steps", "factor", "term"],
      needs: [],
      groups: ({ vectors }) => Math.ceil(vectors / 64),
    }),
  ],
  reference: ({ x }, { steps, factor, term }) => {
    const chain = (start: number): number => {
      for (let step = 0; step < steps; step++) start = Math.fround(start * factor + term);
      return start;
    };
    // Few starting values occur, and each chain is long.
    const known = new Map<number, number>();
    const sum = (start: number): number => {
      let total = known.get(start);
      if (total === undefined) known.set(start, (total = [0, 1, 2, 3, 4, 5, 6, 7].reduce((all, k) => all + chain(start + k), 0)));
      return total;
    };
    return { y: Float32Array.from(x as Float32Array, sum) };
  },
  cost: ({ vectors, steps }) => ({ flops: FLOPS_PER_STEP * vectors * steps, bytes: 32 * vectors }),
});

/** The two peaks as workloads, large enough for a GPU and small enough for a rasteriser. */
export function peakWorkloads({ software, quick }: { software: boolean; quick: boolean }): { copy: Workload; multiplyAdd: Workload } {
  const vectors = (software ? (quick ? 1 : 4) : 8) * 2 ** 20;
  const chains = software ? 2 ** 12 : 2 ** 20;
  const steps = software ? (quick ? 512 : 4096) : 4096;
  return {
    copy: {
      label: `copy ${(vectors * 16) / 2 ** 20} MiB`,
      family: copy,
      example: makeCase({ vectors }, 1, () => ({ x: Float32Array.from({ length: 4 * vectors }, (_, i) => i % 4093) })),
      weights: ["f32"],
    },
    multiplyAdd: {
      label: `multiply-add ${chains} x ${steps}`,
      family: multiplyAdd,
      // Half of the value and one more: the chains run to the fixed point 2, past which nothing overflows.
      example: makeCase({ vectors: chains, steps, factor: 0.5, term: 1 }, 1, () => ({ x: Float32Array.from({ length: 4 * chains }, (_, i) => i % 64) })),
      weights: ["f32"],
    },
  };
}
