/** The shape of a case table. The tables themselves are `<op>/<op>.cases.ts`; tests and benchmarks read the same ones. */
import type { HostArrays, Params } from "./kernel.ts";
import type { Random } from "./random.ts";

/** One set of parameters with the inputs to try it on. */
export interface Case {
  readonly name: string;
  readonly params: Params;
  /** Length of the longest sum behind one output element: what the tolerance grows with. */
  readonly reduction: number;
  inputs(random: Random): HostArrays;
  /** Units in the last place granted for WGSL built-ins that need not be correctly rounded (exp, tanh). */
  readonly builtins?: number;
  /** Real model sizes that take seconds on a software adapter: only the long suite runs them. */
  readonly long?: boolean;
}

/** A case named after its parameters. */
export function makeCase(
  params: Params,
  reduction: number,
  inputs: (random: Random) => HostArrays,
  options: { long?: boolean; note?: string; builtins?: number } = {},
): Case {
  const name = Object.entries(params).map(([key, value]) => `${key}=${value}`).join(" ");
  return { name: options.note ? `${options.note}: ${name}` : name, params, reduction, inputs, long: options.long ?? false, builtins: options.builtins ?? 0 };
}
