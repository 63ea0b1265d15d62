import type { Call, Graph, Node } from "../graph/graph.ts";
import { isTensor, type Parameter, type Resident, type Tensor } from "../graph/tensor.ts";
import { addInto } from "../ops/index.ts";
import { gradients } from "./gradients.ts";
import type { Optimizer } from "./optimizer.ts";
import type { Slot } from "./slots.ts";

/** A gradient, what it is added to, and the operation that does it. */
interface Addition {
  readonly gradient: Tensor;
  readonly sum: Resident;
  readonly node: Node;
}

/**
 * Traces the gradients of a loss with respect to all that an optimizer moves, and adds them to its sums: see `gradients`.
 *
 * @returns the slots that the loss reaches
 */
export function addGradients(graph: Graph, loss: Tensor, upstream: Tensor, optimizer: Pick<Optimizer, "slots" | "gradient">): readonly Slot[] {
  const { slots } = optimizer;
  const wanted = new Set<Parameter>(slots.map(({ parameter }) => parameter));
  const additions: Addition[] = [];
  const found = gradients(graph, loss, upstream, wanted, (parameter, gradient) => {
    const sum = optimizer.gradient(parameter);
    addInto(gradient, sum, { rows: gradient.rows, width: gradient.width });
    additions.push({ gradient, sum, node: graph.nodes.at(-1)! });
  });
  computeInPlace(graph, additions);
  return slots.filter(({ parameter }) => found.has(parameter));
}

/**
 * Lets kernels that can add to what is there (those with a parameter `accumulate`) compute gradients right in their sums,
 * where nothing but the addition reads these gradients: it is left out then, and so is the gradient's memory.
 */
function computeInPlace(graph: Graph, additions: readonly Addition[]): void {
  const reads = new Map<Tensor, number>();
  const writes = new Map<Tensor, Call[]>();
  for (const call of graph.nodes.flatMap(({ calls }) => calls)) {
    for (const operand of Object.values(call.read)) if (isTensor(operand)) reads.set(operand.root, (reads.get(operand.root) ?? 0) + 1);
    for (const operand of Object.values(call.write)) if (isTensor(operand)) writes.set(operand.root, [...(writes.get(operand.root) ?? []), call]);
  }
  const canAdd = ({ write, params }: Call) => "accumulate" in params && Object.keys(write).length === 1;
  const direct = additions.filter(({ gradient: { root } }) => reads.get(root) === 1 && writes.get(root)?.every(canAdd));
  const sums = new Map(direct.map(({ gradient, sum }) => [gradient.root, sum]));
  const dropped = new Set(direct.map(({ node }) => node));
  const inPlace = (call: Call): Call => {
    const [[name, written]] = Object.entries(call.write) as [[string, Tensor | Resident]];
    const sum = isTensor(written) ? sums.get(written.root) : undefined;
    return sum ? { ...call, write: { [name]: sum }, params: { ...call.params, accumulate: 1 } } : call;
  };
  const nodes = graph.nodes.filter((node) => !dropped.has(node));
  graph.nodes.splice(0, Infinity, ...nodes.map((node) => ({ ...node, outputs: node.outputs.filter(({ root }) => !sums.has(root)), calls: node.calls.map(inPlace) })));
}
