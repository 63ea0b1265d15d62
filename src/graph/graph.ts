import type { Family } from "../../kernels/kernel.ts";
import { type Operand, type Parameter, type Scalar, ShapeError, Tensor, type ValueType } from "./tensor.ts";

/** One dispatch: a kernel family with its operands by binding name and its parameters. */
export interface Call {
  readonly family: Family;
  readonly read: Readonly<Record<string, Operand>>;
  readonly write: Readonly<Record<string, Operand>>;
  readonly params: Readonly<Record<string, number | Scalar>>;
}

/** Part of a gradient: `value` belongs to the block of `to` (seen as rows) that begins at `row` and `column`. */
export interface Contribution {
  readonly to: Tensor | Parameter;
  readonly value: Tensor;
  readonly row?: number;
  readonly column?: number;
}

/** Whether a gradient with respect to an operand is wanted. */
export type Needs = (operand: Operand | Parameter) => boolean;

/** One operation as it was traced. A matrix that is split in row blocks takes one call per block. */
export interface Node {
  readonly op: string;
  /** Where in the model it was traced: the path of the enclosing block. */
  readonly path: string;
  readonly inputs: readonly (Operand | Parameter)[];
  readonly outputs: readonly Tensor[];
  readonly calls: readonly Call[];
  /** Traces the gradients of the inputs from that of the first output. Absent where none flows. */
  readonly backward?: (upstream: Tensor, needs: Needs) => Contribution[];
}

/** A function put in place of a named value while tracing: ablation, patching, steering. */
export type Intervention = (value: Tensor) => Tensor;

/**
 * The trace of a model over symbolic tensors: a list of operations in the order in which they were recorded. Every value
 * has one producer; only residents (caches) are written in place, and the order of the list keeps reads after writes.
 */
export class Graph {
  readonly nodes: Node[] = [];
  readonly inputs = new Map<string, Tensor>();
  /** Named values by path. */
  readonly values = new Map<string, Tensor>();
  /** The seed of a run's dropout. Absent outside training: nothing is dropped. */
  dropoutSeed: Scalar | undefined;
  #path = "";

  constructor(readonly interventions: ReadonlyMap<string, Intervention> = new Map()) {}

  /** A value that the host gives at every run. */
  input(name: string, shape: readonly number[], type: ValueType = "f32"): Tensor {
    if (this.inputs.has(name)) throw new ShapeError(`input ${name} is already defined in this graph`);
    const tensor = new Tensor(this, shape, type, name);
    this.inputs.set(name, tensor);
    return tensor;
  }

  /** A new value that `record` will define. */
  value(shape: readonly number[], type: ValueType = "f32"): Tensor {
    return new Tensor(this, shape, type);
  }

  /** The same elements in another shape; costs nothing. */
  view(tensor: Tensor, shape: readonly number[]): Tensor {
    const view = new Tensor(this, shape, tensor.type, tensor.input, tensor.root);
    if (view.size !== tensor.size) throw new ShapeError(`view: expected ${tensor.size} elements, got shape [${shape}]`);
    return view;
  }

  /** Appends an operation. */
  record(node: Omit<Node, "path">): void {
    this.nodes.push({ ...node, path: this.#path });
  }

  /** Traces `body` with `path` as the place of its operations. */
  within<T>(path: string, body: () => T): T {
    const outer = this.#path;
    this.#path = path;
    try {
      return body();
    } finally {
      this.#path = outer;
    }
  }

  /** Names a value so that it can be captured. Returns what goes on in its place: itself, or an intervention's result. */
  name(path: string, value: Tensor): Tensor {
    if (this.values.has(path)) throw new ShapeError(`the value ${path} is already named in this graph`);
    const changed = this.interventions.get(path)?.(value) ?? value;
    if (changed.shape.join() !== value.shape.join()) {
      throw new ShapeError(`intervention on ${path}: expected shape [${value.shape}], got [${changed.shape}]`);
    }
    changed.path = path;
    this.values.set(path, changed);
    return changed;
  }
}
