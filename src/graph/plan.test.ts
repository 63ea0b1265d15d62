/** The memory planner on random graphs: whatever is alive is kept, whatever is not is dropped, and no dispatch reads what it writes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Family } from "../../kernels/kernel.ts";
import { type Call, Graph, type Node } from "./graph.ts";
import { plan, type Plan } from "./plan.ts";
import { isTensor, type Operand, type Resident, type Tensor } from "./tensor.ts";

const family = { name: "any" } as Family;
const resident: Resident = { label: "cache", shape: [64], type: "f32", buffer: undefined as never };

/** One random operation. Numbers that choose among values are taken modulo their count. */
interface Recipe {
  /** What it reads, counted back from the latest value. */
  readonly reads: number[];
  /** Sizes of its results. */
  readonly writes: number[];
  /** Dispatches; each writes every result and reads every input. */
  readonly calls: number;
  /** Whether it reads or writes data that stays. */
  readonly cached: "no" | "reads" | "writes";
  /** Whether the result goes on as a view of itself. */
  readonly viewed: boolean;
}

const recipes = fc.array(
  fc.record<Recipe>({
    reads: fc.array(fc.nat(9), { minLength: 1, maxLength: 3 }),
    writes: fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 2 }),
    calls: fc.integer({ min: 1, max: 3 }),
    cached: fc.constantFrom("no", "no", "no", "reads", "writes"),
    viewed: fc.boolean(),
  }),
  { minLength: 1, maxLength: 24 },
);

function build(list: readonly Recipe[]): { graph: Graph; values: Tensor[] } {
  const graph = new Graph();
  const values = [graph.input("x", [8]), graph.input("ids", [3], "u32")];
  for (const { reads, writes, calls, cached, viewed } of list) {
    const inputs: Operand[] = reads.map((back) => values[values.length - 1 - (back % values.length)]!);
    if (cached === "reads") inputs.push(resident);
    const outputs = writes.map((size) => graph.value([size]));
    const named = (prefix: string, operands: readonly Operand[]) => Object.fromEntries(operands.map((operand, i) => [prefix + i, operand]));
    const call: Call = { family, read: named("r", inputs), write: named("w", cached === "writes" ? [resident] : outputs), params: {} };
    graph.record({ op: "any", inputs, outputs: cached === "writes" ? [] : outputs, calls: Array.from({ length: calls }, () => ({ ...call })) });
    if (cached !== "writes") for (const output of outputs) values.push(viewed ? graph.view(output, [1, output.size]) : output);
  }
  return { graph, values };
}

const tensors = (operands: Readonly<Record<string, Operand>>): Tensor[] =>
  Object.values(operands).flatMap((operand) => (isTensor(operand) ? [operand.root] : []));

/** What is needed, found from the outputs backwards, one node after the other. */
function needed(graph: Graph, outputs: readonly Tensor[]): Set<Node> {
  const found = new Set<Node>();
  const visit = (node: Node): void => {
    if (found.has(node)) return;
    found.add(node);
    for (const call of node.calls) tensors(call.read).forEach(produce);
  };
  const produce = (value: Tensor): void => {
    const producer = graph.nodes.find((node) => node.outputs.includes(value.root));
    if (producer) visit(producer);
  };
  outputs.forEach(produce);
  for (const node of graph.nodes) if (node.calls.some((call) => Object.values(call.write).includes(resident))) visit(node);
  return found;
}

/** Runs a plan with names in place of numbers: every read must find what its producer wrote. */
function simulate({ calls, places }: Plan, outputs: readonly Tensor[]): void {
  const memory = new Map<string, Tensor>();
  const cells = (value: Tensor): string[] => {
    const { arena, offset, bytes } = places.get(value)!;
    return Array.from({ length: Math.ceil(bytes / 256) }, (_, i) => `${arena} ${offset + 256 * i}`);
  };
  const holds = (value: Tensor): void => {
    if (value.input === undefined) for (const cell of cells(value)) expect(memory.get(cell)).toBe(value);
  };
  for (const call of calls) {
    tensors(call.read).forEach(holds);
    for (const value of tensors(call.write)) for (const cell of cells(value)) memory.set(cell, value);
  }
  for (const output of outputs) holds(output.root);
}

describe("plan", () => {
  const property = (check: (made: Plan, graph: Graph, outputs: Tensor[]) => void, limit = 2 ** 20) =>
    fc.assert(
      fc.property(recipes, fc.array(fc.nat(30), { minLength: 1, maxLength: 3 }), (list, picks) => {
        const { graph, values } = build(list);
        const outputs = picks.map((pick) => values[pick % values.length]!);
        check(plan(graph, outputs, limit), graph, outputs);
      }),
      { numRuns: 300, seed: 7 },
    );

  it("keeps every value until its last reader, and the outputs to the end", () => property((made, _, outputs) => simulate(made, outputs)));

  it("drops exactly what no output and no resident needs, and keeps the order", () =>
    property((made, graph, outputs) => {
      const wanted = needed(graph, outputs);
      expect(made.nodes).toEqual(graph.nodes.filter((node) => wanted.has(node)));
      expect(made.calls).toEqual(made.nodes.flatMap((node) => node.calls));
    }));

  it("never lets a call read and write one arena", () =>
    property(({ calls, places }) => {
      const arenas = (operands: Readonly<Record<string, Operand>>) => tensors(operands).flatMap((value) => places.get(value)?.arena ?? []);
      for (const call of calls) {
        const written = arenas(call.write);
        for (const arena of arenas(call.read)) expect(written).not.toContain(arena);
      }
    }));

  it("places values inside of their arenas, at offsets that can be bound, and arenas inside of the limit", () => {
    const limit = 4096;
    property(({ places, arenas }) => {
      for (const [value, { arena, offset, bytes }] of places) {
        expect(offset % 256).toBe(0);
        expect(bytes).toBeGreaterThanOrEqual(value.size * 4);
        expect(offset + bytes).toBeLessThanOrEqual(arenas[arena]!);
      }
      for (const bytes of arenas) expect(bytes).toBeLessThanOrEqual(limit);
    }, limit);
  });

  it("runs a long chain in the memory of two of its values", () => {
    const graph = new Graph();
    let x = graph.input("x", [1024]);
    for (let i = 0; i < 100; i++) {
      const y = graph.value([1024]);
      graph.record({ op: "any", inputs: [x], outputs: [y], calls: [{ family, read: { x }, write: { y }, params: {} }] });
      x = y;
    }
    const { arenas } = plan(graph, [x], 2 ** 30);
    expect(arenas.reduce((sum, bytes) => sum + bytes, 0)).toBe(2 * 4096);
  });
});
