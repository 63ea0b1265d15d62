import type { Program } from "./program.ts";
import type { Step } from "./steps.ts";
import { isTensor, Scalar, type Tensor } from "./tensor.ts";

/** One line of the listing of a program. */
export interface Explained {
  readonly path: string;
  readonly op: string;
  readonly kernel: string;
  readonly shape: readonly number[];
  readonly flops: number;
  readonly bytes: number;
  /** Arena and byte offset of the result, or the resident it writes. */
  readonly place: string;
  readonly scalars: readonly string[];
}

/** Values of a program's scalars, as `Program.run` takes them. */
type Scalars = Readonly<Record<string, number>>;

/** What a step costs at given scalars; at their largest values where none are given. */
function costOf({ call }: Step, scalars: Scalars = {}): { flops: number; bytes: number } {
  const value = (param: number | Scalar) => (param instanceof Scalar ? (scalars[param.name] ?? param.maximum) + param.offset : param);
  return call.family.cost(Object.fromEntries(Object.entries(call.params).map(([name, param]) => [name, value(param)])));
}

/** What a compiled program does, step by step; costs depend on the scalars. */
export function explainSteps(program: Program, scalars: Scalars = {}): Explained[] {
  return program.steps.map((step) => {
    const { node, call, kernel } = step;
    const target = Object.values(call.write)[0]!;
    const spot = isTensor(target) ? program.plan.places.get(target.root) : undefined;
    const named = Object.values(call.write).find((operand): operand is Tensor => isTensor(operand) && operand.path !== undefined);
    return {
      path: named?.path ?? node.path,
      op: node.op,
      kernel: kernel.name,
      shape: target.shape,
      ...costOf(step, scalars),
      place: spot ? `arena ${spot.arena} + ${spot.offset}` : isTensor(target) ? "input" : target.label,
      scalars: Object.entries(call.params).flatMap(([name, value]) => (value instanceof Scalar ? [name] : [])),
    };
  });
}

/** The listing as a table for people. `times` are nanoseconds per step from `Program.profile`. */
export function explain(program: Program, times?: Float64Array, scalars: Scalars = {}): string {
  const steps = explainSteps(program, scalars);
  const rows = steps.map((step, i) => [
    step.path,
    step.op,
    step.kernel,
    step.shape.join("x"),
    `${(step.flops / 1e6).toFixed(2)}`,
    `${(step.bytes / 1e6).toFixed(2)}`,
    step.place,
    step.scalars.join(" "),
    ...(times ? [(times[i]! / 1e3).toFixed(1), (step.flops / times[i]!).toFixed(2)] : []),
  ]);
  const head = ["path", "operation", "kernel", "result", "MFLOP", "MB", "place", "scalars", ...(times ? ["us", "GFLOP/s"] : [])];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) => cells.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd();
  const arenas = program.plan.arenas.map((bytes, i) => `arena ${i}: ${(bytes / 1e6).toFixed(2)} MB`).join(", ");
  const flops = steps.reduce((sum, step) => sum + step.flops, 0);
  return [line(head), ...rows.map(line), "", `${steps.length} dispatches, ${(flops / 1e9).toFixed(3)} GFLOP; ${arenas}`].join("\n");
}
