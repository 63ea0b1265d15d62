/** What the traces of PyTorch's operators have in common. */
import type { Tensor } from "../../../src/graph/tensor.ts";
import type { OperatorCase } from "../operator-goldens.ts";
import type { Differentiated, Sketch } from "../sketch.ts";

/** A traced case. */
export interface Traced {
  readonly y: Tensor;
  /** The gradient from above in the layout of y; absent: as it is stored. */
  readonly upstream?: Float32Array;
  /** Results by golden name in the goldens' layout; absent: as they are, by the names of the sketch. */
  readonly results?: (got: Differentiated) => Readonly<Record<string, ArrayLike<number>>>;
}

export type Trace = (sketch: Sketch, golden: OperatorCase) => Promise<Traced> | Traced;

export const input = (sketch: Sketch, golden: OperatorCase, name: string, shape = golden.shape(name)): Tensor =>
  sketch.input(name, shape, golden.floats(`input.${name}`));

/** A weight by its golden name, its rows in `blocks` buffers. */
export const weight = (sketch: Sketch, golden: OperatorCase, name: string, { shape = golden.shape(name), blocks = 1 } = {}) =>
  sketch.parameter(name, shape, golden.floats(`input.${name}`), blocks);

/** [batch, first, second, width] -> [batch, second, first, width]: from the goldens' heads of tokens to tokens of heads, and back. */
export function swap(values: Float32Array, [batch, first, second, width]: readonly number[]): Float32Array {
  const swapped = new Float32Array(values.length);
  for (let b = 0; b < batch!; b++) {
    for (let f = 0; f < first!; f++) {
      for (let s = 0; s < second!; s++) {
        const from = ((b * first! + f) * second! + s) * width!;
        swapped.set(values.subarray(from, from + width!), ((b * second! + s) * first! + f) * width!);
      }
    }
  }
  return swapped;
}

/** The other way round: from rows of our layout to the golden's shape. */
export const swapBack = (values: Float32Array, [batch, first, second, width]: readonly number[]): Float32Array =>
  swap(values, [batch!, second!, first!, width!]);
