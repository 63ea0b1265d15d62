import { Parameter, ShapeError, type Tensor } from "../graph/tensor.ts";

/**
 * A dotted path into the model. It names the weights and the values of whatever is built under it, so nothing is named
 * twice: `scope.at("layers.3").matrix("attention.output.weight", ...)` and `scope.at("layers.3").name(x)`.
 */
export class Scope {
  constructor(
    readonly path: string,
    /** All parameters that were asked for, by path. */
    readonly parameters: Map<string, Parameter> = new Map(),
  ) {}

  at(path: string): Scope {
    return new Scope(this.#join(path), this.parameters);
  }

  /** A weight matrix [rows, columns]. `fileShape` is its shape in the checkpoint where that has more axes. */
  matrix(path: string, shape: readonly [number, number], fileShape: readonly number[] = shape): Parameter {
    return this.#declare(path, shape, "matrix", [{ name: this.#join(path), shape: fileShape }]);
  }

  /** A bias, norm weight or other small tensor, kept in f32. */
  vector(path: string, shape: readonly number[]): Parameter {
    return this.#declare(path, shape, "vector", [{ name: this.#join(path), shape }]);
  }

  /** Several matrices [rows_i, columns] of equal width, stacked by rows. `path` is the name of the stack. */
  stack(path: string, parts: readonly { readonly path: string; readonly rows: number }[], columns: number): Parameter {
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    return this.#declare(path, [rows, columns], "matrix", parts.map((part) => ({ name: this.#join(part.path), shape: [part.rows, columns] })));
  }

  /** Several vectors, one behind the other. */
  stackVectors(path: string, parts: readonly { readonly path: string; readonly rows: number }[]): Parameter {
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    return this.#declare(path, [rows], "vector", parts.map((part) => ({ name: this.#join(part.path), shape: [part.rows] })));
  }

  /** Names a value after this scope, so that it can be captured or intervened upon. Returns what goes on in its place. */
  name(value: Tensor, path = ""): Tensor {
    return value.graph.name(this.#join(path), value);
  }

  #join(path: string): string {
    return [this.path, path].filter(Boolean).join(".");
  }

  #declare(path: string, shape: readonly number[], kind: Parameter["kind"], parts: Parameter["parts"]): Parameter {
    const full = this.#join(path);
    if (this.parameters.has(full)) throw new ShapeError(`the parameter ${full} is declared twice`);
    const parameter = new Parameter(full, shape, kind, parts);
    this.parameters.set(full, parameter);
    return parameter;
  }
}
