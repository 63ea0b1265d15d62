import type { Call, Graph, Node } from "../graph/graph.ts";
import { isTensor, type Operand, type Parameter, Tensor } from "../graph/tensor.ts";

/**
 * Gradient checkpointing (Chen et al. 2016), layer by layer: what backward operations read of the inside of a layer is
 * computed again just before the first of them, by copies of the layer's operations, so that it is not kept from the
 * forward operations until then. What others read of a layer is kept: its output, which is the next one's input.
 *
 * The copies are the same calls with the same parameters, the seeds of dropout included, so the gradients are bit-equal.
 * Copies that nobody reads are dropped, like all dead operations.
 *
 * @param graph of whole sequences: the forward operations, and behind them those that `gradients` traced
 * @param forward number of the forward operations
 */
export function recomputeLayers(graph: Graph, forward: number): void {
  const layers = insides(graph.nodes.slice(0, forward));
  const layerOf = new Map<Tensor, string>();
  for (const [layer, nodes] of layers) for (const { outputs } of nodes) for (const { root } of outputs) layerOf.set(root, layer);
  const copies = new Map<Tensor, Tensor>();
  const entered = new Set<string>();
  const backward = graph.nodes.slice(forward).flatMap((node) => {
    const again: Node[] = [];
    for (const value of valuesRead(node)) {
      const layer = layerOf.get(value);
      if (layer === undefined || entered.has(layer)) continue;
      entered.add(layer);
      const originals = layers.get(layer)!;
      for (const { root } of originals.flatMap(({ outputs }) => outputs)) copies.set(root, graph.value(root.shape, root.type));
      again.push(...originals.map((original) => ({ ...onCopies(original, copies), path: `${original.path} (again)` })));
    }
    return [...again, onCopies(node, copies)];
  });
  graph.nodes.splice(forward, Infinity, ...backward);
}

/** By layer, the operations whose results nothing outside of it reads. */
function insides(nodes: readonly Node[]): Map<string, Node[]> {
  const readElsewhere = new Set<Tensor>();
  const writtenIn = new Map<Tensor, string | undefined>();
  for (const node of nodes) {
    const layer = layerAt(node.path);
    for (const value of valuesRead(node)) if (writtenIn.get(value) !== layer) readElsewhere.add(value);
    for (const { root } of node.outputs) writtenIn.set(root, layer);
  }
  const inside = new Map<string, Node[]>();
  for (const node of nodes) {
    const layer = layerAt(node.path);
    if (layer === undefined || node.outputs.some(({ root }) => readElsewhere.has(root))) continue;
    inside.set(layer, [...(inside.get(layer) ?? []), node]);
  }
  return inside;
}

/** The layer that a path lies in: `language.layers.3` for all that is traced there. */
function layerAt(path: string): string | undefined {
  return /^(?:.*\.)?layers\.\d+/.exec(path)?.[0];
}

function valuesRead({ calls }: Node): Tensor[] {
  return calls.flatMap(({ read }) => Object.values(read)).flatMap((operand) => (isTensor(operand) ? [operand.root] : []));
}

/** An operation on the copies of values where there are some. */
function onCopies(node: Node, copies: ReadonlyMap<Tensor, Tensor>): Node {
  const copied = <O extends Operand | Parameter>(operand: O): O | Tensor => {
    const copy = operand instanceof Tensor ? copies.get(operand.root) : undefined;
    return copy ? copy.graph.view(copy, operand.shape) : operand;
  };
  const all = (operands: Call["read"]): Call["read"] =>
    Object.fromEntries(Object.entries(operands).map(([name, operand]) => [name, copied(operand)]));
  return {
    op: node.op,
    path: node.path,
    inputs: node.inputs.map(copied),
    outputs: node.outputs.map((output) => copied(output)),
    calls: node.calls.map((call) => ({ ...call, read: all(call.read), write: all(call.write) })),
  };
}
