import type { Graph, Node } from "../graph/graph.ts";
import { elements, type Operand, type Parameter, ShapeError, shapeText, Tensor } from "../graph/tensor.ts";
import { add, addInto, zeros } from "../ops/index.ts";

/**
 * Reverse-mode differentiation (Linnainmaa 1970) on a traced graph: appends the operations that compute the gradients of a
 * loss, and returns these by what they belong to. Only what lies between the loss and something wanted is traced; what the
 * loss does not depend on has no entry, which is not the same as a gradient of zero.
 *
 * @param loss the value to differentiate
 * @param upstream the gradient of the loss with respect to itself, of the loss's shape
 * @param wanted parameters, inputs of the graph or values in it
 * @param use called with every gradient as soon as it is complete: one that is used up there need not be kept until all are
 * @throws ShapeError if an operation in between has no backward rule
 */
export function gradients<W extends Parameter | Tensor>(
  graph: Graph,
  loss: Tensor,
  upstream: Tensor,
  wanted: ReadonlySet<W>,
  use?: (one: W, gradient: Tensor) => void,
): Map<W, Tensor> {
  const forward = [...graph.nodes];
  const reached = dependents(forward, wanted);
  const needs = (operand: Operand | Parameter): boolean => reached.has(owner(operand));
  const sums = new Map<Operand | Parameter, Sum>();
  const sumFor = (operand: Tensor | Parameter): Sum => {
    const key = owner(operand);
    let sum = sums.get(key);
    if (!sum) sums.set(key, (sum = new Sum(graph, key.shape)));
    return sum;
  };
  const result = new Map<W, Tensor>();
  const complete = (ones: Iterable<W>): void => {
    for (const one of ones) {
      const total = sums.get(owner(one))?.total();
      if (!total) continue;
      const gradient = shaped(total, one.shape);
      result.set(one, gradient);
      use?.(one, gradient);
    }
  };
  const differentiate = (node: Node): void => {
    const [output] = node.outputs;
    const total = output && sums.get(output.root)?.total();
    if (!total || !node.inputs.some(needs)) return;
    if (!node.backward) throw new ShapeError(`gradients: ${node.op} at ${node.path || "the root"} has no backward rule for ${shapeText(output!.shape)}`);
    graph.within(`${node.path} (backward)`, () => {
      for (const { to, value, row, column } of node.backward!(total, needs)) {
        if (!needs(to)) continue;
        sumFor(to).add(value, row, column);
      }
    });
  };

  sumFor(loss).add(upstream);
  const first = byFirstUse(forward, wanted);
  for (const node of forward.toReversed()) {
    differentiate(node);
    complete(first.get(node) ?? []);
  }
  complete(first.get(undefined) ?? []);
  return result;
}

/** What is wanted, by the first operation that takes it, which is the last to add to its gradient; undefined where none does. */
function byFirstUse<W extends Parameter | Tensor>(nodes: readonly Node[], wanted: ReadonlySet<W>): Map<Node | undefined, W[]> {
  const first = new Map<Operand | Parameter, Node>();
  for (const node of nodes.toReversed()) for (const input of node.inputs) first.set(owner(input), node);
  const groups = new Map<Node | undefined, W[]>();
  for (const one of wanted) {
    const node = first.get(owner(one));
    groups.set(node, [...(groups.get(node) ?? []), one]);
  }
  return groups;
}

/** What is wanted and everything that depends on it. */
function dependents(nodes: Graph["nodes"], wanted: ReadonlySet<Parameter | Tensor>): Set<Operand | Parameter> {
  const reached = new Set<Operand | Parameter>([...wanted].map(owner));
  for (const node of nodes) {
    if (node.inputs.some((input) => reached.has(owner(input)))) for (const output of node.outputs) reached.add(output.root);
  }
  return reached;
}

/** What a gradient belongs to: the value behind a view. */
function owner(operand: Operand | Parameter): Operand | Parameter {
  return operand instanceof Tensor ? operand.root : operand;
}

/** The elements of a value in a shape of the same size. */
function shaped(value: Tensor, shape: readonly number[]): Tensor {
  return value.shape.join() === shape.join() ? value : value.graph.view(value, shape);
}

/** The sum of the contributions to one gradient. Whole ones are added; blocks are added into a value of zeros. */
class Sum {
  #whole: Tensor | undefined;
  #blocks: Tensor | undefined;

  constructor(
    private readonly graph: Graph,
    private readonly shape: readonly number[],
  ) {}

  add(value: Tensor, row = 0, column = 0): void {
    if (value.size === elements(this.shape)) {
      const whole = shaped(value, this.shape);
      this.#whole = this.#whole ? add(this.#whole, whole) : whole;
      return;
    }
    this.#blocks ??= zeros(this.graph, this.shape);
    addInto(value, this.#blocks, { rows: value.rows, width: value.width, toRow: row, toColumn: column });
  }

  total(): Tensor | undefined {
    if (this.#whole && this.#blocks) {
      this.#whole = add(this.#whole, this.#blocks);
      this.#blocks = undefined;
    }
    return this.#whole ?? this.#blocks;
  }
}
