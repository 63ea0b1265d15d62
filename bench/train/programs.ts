/** The compiled programs behind a training step, which the trainer keeps to itself. */
import * as kernels from "../../kernels/index.ts";
import { explainSteps } from "../../src/graph/explain.ts";
import { Program } from "../../src/graph/program.ts";

/** One run of a program, with what it was given. */
export interface ProgramRun {
  readonly program: Program;
  readonly inputs: Readonly<Record<string, Float32Array | Uint32Array>>;
  readonly scalars: Readonly<Record<string, number>>;
}

/** The programs that `body` runs, in order. */
export async function programsOf(body: () => Promise<unknown>): Promise<ProgramRun[]> {
  const runs: ProgramRun[] = [];
  const { run } = Program.prototype;
  Program.prototype.run = function (inputs, scalars = {}) {
    runs.push({ program: this, inputs, scalars });
    run.call(this, inputs, scalars);
  };
  try {
    await body();
    return runs;
  } finally {
    Program.prototype.run = run;
  }
}

/** The families whose cost is nearly all multiply-adds: matrix products and attention, forward and backward. */
const PRODUCTS: ReadonlySet<unknown> = new Set([
  kernels.matmulNT,
  kernels.matmulNN,
  kernels.matmulTN,
  kernels.attention,
  kernels.attentionBackwardQ,
  kernels.attentionBackwardKV,
]);

/**
 * Multiply-adds of the matrix products and attentions that a program dispatches, by what its kernels declare to cost. What
 * a backward pass computes a second time (attention's probabilities, the logits of the loss) counts each time.
 */
export function multiplyAdds({ program, scalars }: ProgramRun): number {
  const costs = explainSteps(program, scalars);
  return program.steps.reduce((sum, { call }, i) => sum + (PRODUCTS.has(call.family) ? costs[i].flops / 2 : 0), 0);
}
