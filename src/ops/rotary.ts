import { rotary as kernels } from "../../kernels/index.ts";
import { expectShape, type Resident, type Scalar, shapeText, type Tensor } from "../graph/tensor.ts";
import type { HeadSlice } from "./attention.ts";

export interface RotaryOptions {
  readonly heads: number;
  readonly headSize: number;
  /** Position of the first row. */
  readonly position: number | Scalar;
  /** Rows of one sequence; positions restart after it. Default: all rows are one sequence. */
  readonly sequence?: number;
}

/**
 * Rotary position embedding in the half-split form of Hugging Face: (x₁, x₂) -> (x₁ cos - x₂ sin, x₂ cos + x₁ sin), where x₁
 * and x₂ are the halves of a head. Su et al. 2021.
 *
 * @param x rows [n, ·] with the heads at columns from `offset`
 * @param table [positions, headSize]: headSize/2 cosines, then the sines, of every position
 * @param into a cache [capacity, heads · headSize]: rows go to `position` onward; absent: a new value [n, heads · headSize]
 */
export function rotary(x: HeadSlice & { readonly of: Tensor }, table: Resident, options: RotaryOptions): Tensor;
export function rotary(x: HeadSlice & { readonly of: Tensor }, table: Resident, options: RotaryOptions, into: Resident): void;
export function rotary(x: HeadSlice & { readonly of: Tensor }, table: Resident, options: RotaryOptions, into?: Resident): Tensor | void {
  const { heads, headSize, position } = options;
  const { graph } = x.of;
  const width = heads * headSize;
  expectShape(
    headSize % 2 === 0 && x.offset + width <= x.of.width && table.shape[1] === headSize,
    () => `rotary: expected ${heads} heads of even size from column ${x.offset} of ${shapeText(x.of.shape)} and a table [positions, ${headSize}], got ${shapeText(table.shape)}`,
  );
  const rows = x.of.rows;
  const y = into ?? graph.value([rows, width]);
  graph.record({
    op: "rotary",
    inputs: [x.of, table],
    outputs: into ? [] : [y as Tensor],
    calls: [
      {
        family: kernels,
        read: { x: x.of, table },
        write: { y },
        params: {
          rows,
          heads,
          headSize,
          xStride: x.of.width,
          xOffset: x.offset,
          yStride: width,
          yOffset: 0,
          yRow: into ? position : 0,
          position,
          sequence: options.sequence ?? rows,
          inverse: 0,
        },
      },
    ],
    backward: (dy) => [{ to: x.of, value: rotateBack(dy, table, options, rows), column: x.offset }],
  });
  if (!into) return y as Tensor;
}

/** The gradient of a rotation is the rotation by the opposite angle. */
function rotateBack(dy: Tensor, table: Resident, { heads, headSize, position, sequence }: RotaryOptions, rows: number): Tensor {
  const width = heads * headSize;
  const dx = dy.graph.value([rows, width]);
  const place = { xStride: width, xOffset: 0, yStride: width, yOffset: 0, yRow: 0 };
  const params = { rows, heads, headSize, ...place, position, sequence: sequence ?? rows, inverse: 1 };
  dy.graph.record({ op: "rotateBack", inputs: [dy, table], outputs: [dx], calls: [{ family: kernels, read: { x: dy, table }, write: { y: dx }, params }] });
  return dx;
}
