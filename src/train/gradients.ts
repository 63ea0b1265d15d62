import type { Graph } from "../graph/graph.ts";
import { type Operand, type Parameter, ShapeError, shapeText, Tensor } from "../graph/tensor.ts";
import { add, addInto, zeros } from "../ops/index.ts";

/**
 * Reverse-mode differentiation (Linnainmaa 1970) on a traced graph: appends the operations that compute the gradients of a
 * loss, and returns these by parameter. Only what lies between the loss and a wanted parameter is traced; a parameter
 * that the loss does not depend on has no entry, which is not the same as a gradient of zero.
 *
 * @param loss the value to differentiate
 * @param upstream the gradient of the loss with respect to itself, of the loss's shape
 * @param wanted parameters
 */
export function gradients(graph: Graph, loss: Tensor, upstream: Tensor, wanted: ReadonlySet<Parameter>): Map<Parameter, Tensor> {
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
  sumFor(loss).add(upstream);

  for (const node of forward.toReversed()) {
    const [output] = node.outputs;
    const total = output && sums.get(output.root)?.total();
    if (!total || !node.inputs.some(needs)) continue;
    if (!node.backward) throw new ShapeError(`gradients: ${node.op} at ${node.path || "the root"} has no backward rule for ${shapeText(output!.shape)}`);
    graph.within(`${node.path} (backward)`, () => {
      for (const { to, value, row, column } of node.backward!(total, needs)) {
        if (!needs(to)) continue;
        sumFor(to).add(value, row, column);
      }
    });
  }
  const result = new Map<Parameter, Tensor>();
  for (const parameter of wanted) {
    const total = sums.get(parameter)?.total();
    if (total) result.set(parameter, total);
  }
  return result;
}

/** Everything that depends on one of the parameters. */
function dependents(nodes: Graph["nodes"], wanted: ReadonlySet<Parameter>): Set<Operand | Parameter> {
  const reached = new Set<Operand | Parameter>(wanted);
  for (const node of nodes) {
    if (node.inputs.some((input) => reached.has(owner(input)))) for (const output of node.outputs) reached.add(output.root);
  }
  return reached;
}

/** What a gradient belongs to: the value behind a view. */
function owner(operand: Operand | Parameter): Operand | Parameter {
  return operand instanceof Tensor ? operand.root : operand;
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
    if (value.size === this.shape.reduce((product, length) => product * length, 1)) {
      const shaped = this.#shaped(value);
      this.#whole = this.#whole ? add(this.#whole, shaped) : shaped;
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

  #shaped(value: Tensor): Tensor {
    return value.shape.join() === this.shape.join() ? value : this.graph.view(value, this.shape);
  }
}
