import { adamW } from "../../kernels/index.ts";
import type { Graph } from "../graph/graph.ts";
import type { Resident, Scalar, Tensor } from "../graph/tensor.ts";
import type { AdamWOptions } from "./optimizer-options.ts";
import type { Slot } from "./slots.ts";

/** What a step of AdamW works on beside a slot's values. */
export interface AdamWState {
  readonly gradient: Resident;
  readonly m: Resident;
  readonly v: Resident;
  /** Norm over all gradients, [1]. */
  readonly norm: Tensor;
  readonly learningRate: Scalar;
  /** 1 - betaᵗ of both moments. */
  readonly corrections: readonly [Scalar, Scalar];
}

/** Traces one AdamW step of a slot: clip, decay, moments, step (see kernels/adamw). */
export function traceAdamW(graph: Graph, slot: Slot, state: AdamWState, options: Required<AdamWOptions> & { readonly maxNorm: number }): void {
  const { parameter, offset, count, decays } = slot;
  const { gradient, m, v, norm, learningRate, corrections } = state;
  const [beta1, beta2] = options.betas;
  graph.record({
    op: "adamW",
    inputs: [norm],
    outputs: [],
    calls: [
      {
        family: adamW,
        read: { gradient, norm },
        write: { parameter: parameter.block, m, v },
        params: {
          offset,
          count,
          learningRate,
          beta1,
          beta2,
          share1: 1 - beta1,
          share2: 1 - beta2,
          epsilon: options.eps,
          weightDecay: decays ? options.weightDecay : 0,
          correction1: corrections[0],
          correction2: corrections[1],
          maxNorm: options.maxNorm,
        },
      },
    ],
  });
}
