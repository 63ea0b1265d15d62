import type { WeightType } from "../../kernels/kernel.ts";
import { LlavaError } from "../../errors/index.ts";
import type { Graph } from "./graph.ts";

/** Element type of a value: f32 for activations, u32 for ids and tables of indices. */
export type ValueType = "f32" | "u32";

/** A shape that does not fit its operation. */
export class ShapeError extends LlavaError {
  override name = "ShapeError";
}

/** Throws a `ShapeError` unless the rule holds. */
export function expectShape(rule: boolean, message: () => string): asserts rule {
  if (!rule) throw new ShapeError(message());
}

/** A value that a graph computes or is given: symbolic while tracing, a range of a buffer once compiled. */
export class Tensor {
  /** Dotted path by which the value can be captured, if it was named. */
  path: string | undefined;

  constructor(
    readonly graph: Graph,
    readonly shape: readonly number[],
    readonly type: ValueType,
    /** The name of an input; absent for computed values. */
    readonly input?: string,
    /** The value whose elements these are, seen in another shape. */
    private readonly viewed?: Tensor,
  ) {}

  /** The value that owns the elements: this one, unless it is a view. */
  get root(): Tensor {
    return this.viewed?.root ?? this;
  }

  /** Number of elements. */
  get size(): number {
    return elements(this.shape);
  }

  /** Length of the last axis. */
  get width(): number {
    return this.shape.at(-1) ?? 1;
  }

  /** Product of all axes but the last. */
  get rows(): number {
    return this.size / this.width;
  }
}

/** A number that changes from run to run without a new program: the position in the sequence, the number of cached tokens. */
export class Scalar {
  constructor(
    readonly name: string,
    /** The largest value that will ever be given: what workgroup counts are planned for. */
    readonly maximum: number,
    /** Added to the given value. */
    readonly offset = 0,
  ) {}

  plus(offset: number): Scalar {
    return new Scalar(this.name, this.maximum, this.offset + offset);
  }
}

/** Data that stays on the GPU between runs, owned by whoever allocated it: weights, caches, tables. */
export interface Resident {
  readonly label: string;
  readonly shape: readonly number[];
  readonly type: WeightType | "u32";
  /** Replaced when the data moves (a cache that grows); programs notice it through `Workspace.generation`. */
  buffer: GPUBuffer;
}

/** A contiguous block of a parameter's rows in one buffer, small enough to be bound as a whole. */
export interface ParameterBlock extends Resident {
  readonly firstRow: number;
}

/** One checkpoint tensor inside a parameter. */
export interface ParameterPart {
  /** Canonical name, e.g. `language.layers.0.attention.query.weight`. */
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * A low-rank change of a part of a weight: its rows [firstRow, firstRow + rows) count as W + scale · B A, computed beside
 * W without touching it. Hu et al. 2021 (LoRA).
 */
export interface Adapter {
  /** The adapted module as transformers calls it, e.g. `model.language_model.layers.0.self_attn.q_proj`. */
  readonly module: string;
  readonly firstRow: number;
  readonly rows: number;
  /** [rank, inputs] */
  readonly a: Parameter;
  /** [rows, rank] */
  readonly b: Parameter;
  readonly scale: number;
  /** Share of the inputs of A that training drops. */
  readonly dropout: number;
}

/**
 * A weight of the model. A parameter may stack several checkpoint tensors by rows (query, key and value; gate and up), so
 * that one kernel call computes them all. `blocks` is filled when the weights are loaded.
 */
export class Parameter {
  blocks: readonly ParameterBlock[] = [];
  /** Low-rank changes that linear layers add; see `addLora`. Programs traced before a change of the list do not have it. */
  adapters: readonly Adapter[] = [];

  constructor(
    readonly path: string,
    readonly shape: readonly number[],
    /** "matrix": kept in the checkpoint's or the asked precision; "vector": always f32 on the GPU. */
    readonly kind: "matrix" | "vector",
    readonly parts: readonly ParameterPart[],
  ) {}

  get rows(): number {
    return this.kind === "vector" ? 1 : this.shape[0]!;
  }

  /** The single block of a parameter that is never split. */
  get block(): ParameterBlock {
    const [block] = this.blocks;
    if (!block || this.blocks.length > 1) throw new ShapeError(`${this.path}: expected one resident block, got ${this.blocks.length}; load the weights first`);
    return block;
  }
}

/** Whatever a kernel may bind. */
export type Operand = Tensor | Resident;

export function isTensor(operand: Operand): operand is Tensor {
  return operand instanceof Tensor;
}

/** Number of elements of a shape. */
export function elements(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** `[2, 3]` for messages. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
