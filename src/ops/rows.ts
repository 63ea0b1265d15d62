import { addRows as addKernels, copyRows as copyKernels, fill as fillKernels, KEEP_TEXT, mixRows as mixKernels, placeRows as placeKernels } from "../../kernels/index.ts";
import type { Call, Graph, Needs } from "../graph/graph.ts";
import { elements, expectShape, isTensor, type Operand, type Parameter, type Resident, type Scalar, shapeText, type Tensor } from "../graph/tensor.ts";

export interface CopyOptions {
  readonly rows: number;
  readonly width: number;
  readonly fromRow?: number | Scalar;
  readonly fromColumn?: number;
  readonly toRow?: number | Scalar;
  readonly toColumn?: number;
}

/** A vector parameter [D] as a value [1, D]. */
export function parameterRow(graph: Graph, parameter: Parameter): Tensor {
  const width = elements(parameter.shape);
  const y = graph.value([1, width]);
  const x = { ...parameter.block, shape: [1, width] };
  graph.record({
    op: "parameterRow",
    inputs: [parameter],
    outputs: [y],
    calls: [copyCall(x, y, { rows: 1, width })],
    backward: (dy) => [{ to: parameter, value: dy }],
  });
  return y;
}

/** Copies a block of `rows` x `width` elements of x [·, C] into resident data, at row `toRow`. */
export function writeRows(graph: Graph, x: Operand, into: Resident, options: CopyOptions): void {
  graph.record({ op: "writeRows", inputs: [x], outputs: [], calls: [copyCall(x, into, options)] });
}

/** All but the first `count` tokens of every sequence: x [B, T, D] -> [B, T - count, D]. */
export function dropFirst(x: Tensor, count: number): Tensor {
  const [batch, tokens, width] = x.shape as [number, number, number];
  const { graph } = x;
  // A sequence is one long row, of which the first elements go: all of them are one block.
  const asRows = (value: Tensor): Tensor => graph.view(value, [batch, value.size / batch]);
  const block = { rows: batch, width: (tokens - count) * width };
  const y = graph.value([batch, tokens - count, width]);
  graph.record({
    op: "dropFirst",
    inputs: [x],
    outputs: [y],
    calls: [copyCall(asRows(x), asRows(y), { ...block, fromColumn: count * width })],
    backward: (dy) => {
      const dx = graph.value(x.shape);
      const copy = copyCall(asRows(dy), asRows(dx), { ...block, toColumn: count * width });
      graph.record({ op: "dropFirstBackward", inputs: [dy], outputs: [dx], calls: [fillCall(dx, 0), copy] });
      return [{ to: x, value: dx }];
    },
  });
  return y;
}

/** A block of the rows of x [·, C] as a new value [rows, width]. */
export function sliceRows(x: Tensor, options: CopyOptions): Tensor {
  const y = x.graph.value([options.rows, options.width]);
  const { fromRow = 0, fromColumn = 0 } = options;
  x.graph.record({
    op: "sliceRows",
    inputs: [x],
    outputs: [y],
    calls: [copyCall(x, y, options)],
    ...(typeof fromRow === "number" ? { backward: (dy: Tensor) => [{ to: x, value: dy, row: fromRow, column: fromColumn }] } : {}),
  });
  return y;
}

/** The rows of every part one below the other, or side by side with `axis` "columns". */
export function concat(parts: readonly Tensor[], axis: "rows" | "columns"): Tensor {
  const [first] = parts;
  expectShape(
    first !== undefined && parts.every((part) => (axis === "rows" ? part.width === first.width : part.rows === first.rows)),
    () => `concat: expected parts of equal ${axis === "rows" ? "width" : "rows"}, got ${parts.map(({ shape }) => shapeText(shape)).join(", ")}`,
  );
  const rows = axis === "rows" ? sum(parts.map((part) => part.rows)) : first.rows;
  const width = axis === "columns" ? sum(parts.map((part) => part.width)) : first.width;
  const y = first.graph.value(axis === "rows" ? [rows, width] : [...first.shape.slice(0, -1), width]);
  let at = 0;
  const calls = parts.map((part) => {
    const call = copyCall(part, y, { rows: part.rows, width: part.width, ...(axis === "rows" ? { toRow: at } : { toColumn: at }) });
    at += axis === "rows" ? part.rows : part.width;
    return call;
  });
  first.graph.record({
    op: "concat",
    inputs: parts,
    outputs: [y],
    calls,
    backward: (dy) => {
      let from = 0;
      return parts.map((part) => {
        const value = sliceRows(dy, { rows: part.rows, width: part.width, ...(axis === "rows" ? { fromRow: from } : { fromColumn: from }) });
        from += axis === "rows" ? part.rows : part.width;
        return { to: part, value };
      });
    },
  });
  return y;
}

/**
 * y[r] = Σ_t weight[r, t] · x[index[r, t]]: one table-driven operation for gathering, bilinear resizing and average pooling of
 * feature maps. x [n, D], index [m, T] (u32), weight [m, T] -> [m, D].
 *
 * @param transposed the table of the transposed map, [n, T'], where gradients shall flow to x
 */
export function mixRows(x: Operand, index: Tensor, weight: Tensor, transposed?: RowMix): Tensor {
  const width = x.shape.at(-1)!;
  const [rows, taps] = index.shape as [number, number];
  const y = index.graph.value([rows, width]);
  index.graph.record({
    op: "mixRows",
    inputs: [x, index, weight],
    outputs: [y],
    calls: [{ family: mixKernels, read: { x, index, weight }, write: { y }, params: { rows, taps, width } }],
    ...(transposed && isTensor(x) ? { backward: (dy: Tensor) => [{ to: x, value: mixRows(dy, transposed.index, transposed.weight) }] } : {}),
  });
  return y;
}

/** A table for `mixRows`: index [m, T] (u32) and weight [m, T]. */
export interface RowMix {
  readonly index: Tensor;
  readonly weight: Tensor;
}

/** A table that a program reads: the inputs `nameIndex` and `nameWeight`, [rows, taps]. */
export function rowMixInput(graph: Graph, name: string, rows: number, taps: number): RowMix {
  return { index: graph.input(`${name}Index`, [rows, taps], "u32"), weight: graph.input(`${name}Weight`, [rows, taps]) };
}

/** Marks a row of `placeRows` that keeps its text embedding. */
export const TEXT = KEEP_TEXT;

/**
 * y[i] = source[i] is TEXT ? text[i] : rows[source[i]]: image features take the places of the image tokens.
 * text [n, D], rows [m, D], source [n] (u32) -> [n, D].
 *
 * @param inverse where gradients shall flow: for every token itself with weight 1 if it is text and 0 if not, [n, 1]; and for
 *   every row the token that it went to, [m, 1]
 */
export function placeRows(text: Tensor, rows: Operand, source: Tensor, inverse?: { readonly text: RowMix; readonly rows: RowMix }): Tensor {
  expectShape(
    rows.shape.at(-1) === text.width && source.size === text.rows,
    () => `placeRows: expected rows of width ${text.width} and ${text.rows} sources, got ${shapeText(rows.shape)} and ${shapeText(source.shape)}`,
  );
  const y = text.graph.value(text.shape);
  text.graph.record({
    op: "placeRows",
    inputs: [text, rows, source],
    outputs: [y],
    calls: [{ family: placeKernels, read: { text, rows, source }, write: { y }, params: { count: text.rows, width: text.width } }],
    ...(inverse && isTensor(rows)
      ? {
          backward: (dy: Tensor, needs: Needs) => [
            ...(needs(text) ? [{ to: text, value: mixRows(dy, inverse.text.index, inverse.text.weight) }] : []),
            ...(needs(rows) ? [{ to: rows, value: mixRows(dy, inverse.rows.index, inverse.rows.weight) }] : []),
          ],
        }
      : {}),
  });
  return y;
}

/** A block of columns: `of` [..., w] stands at columns [column, column + w). */
export interface ColumnBlock {
  readonly of: Tensor;
  readonly column: number;
}

/** y = x, plus every block in its columns: x [..., C], blocks [..., w] with w <= C -> [..., C]. Throws `ShapeError`. */
export function addColumns(x: Tensor, blocks: readonly ColumnBlock[]): Tensor {
  const { rows } = x;
  for (const { of, column } of blocks) {
    expectShape(
      of.rows === rows && column + of.width <= x.width,
      () => `addColumns: expected ${rows} rows that end by column ${x.width}, got ${shapeText(of.shape)} at column ${column}`,
    );
  }
  const y = x.graph.value(x.shape);
  const added = blocks.map(({ of, column }) => addCall(of, y, { rows, width: of.width, toColumn: column }));
  x.graph.record({
    op: "addColumns",
    inputs: [x, ...blocks.map(({ of }) => of)],
    outputs: [y],
    calls: [copyCall(x, y, { rows, width: x.width }), ...added],
    backward: (dy, needs) => {
      const wanted = blocks.filter(({ of }) => needs(of));
      const part = ({ of: { width }, column }: ColumnBlock) => (width === dy.width ? dy : sliceRows(dy, { rows, width, fromColumn: column }));
      return [{ to: x, value: dy }, ...wanted.map((block) => ({ to: block.of, value: part(block) }))];
    },
  });
  return y;
}

/** A value of zeros. */
export function zeros(graph: Graph, shape: readonly number[]): Tensor {
  const y = graph.value(shape);
  graph.record({ op: "zeros", inputs: [], outputs: [y], calls: [fillCall(y, 0)] });
  return y;
}

/** y[toRow + r, toColumn + c] += scale · x[fromRow + r, fromColumn + c], in place: y may be a value that is still being summed, or resident. */
export function addInto(x: Tensor, y: Operand, options: CopyOptions, scale = 1): void {
  x.graph.record({ op: "addInto", inputs: [x, y], outputs: isTensor(y) ? [y] : [], calls: [addCall(x, y, options, scale)] });
}

function addCall(x: Operand, y: Operand, options: CopyOptions, scale = 1): Call {
  const { read, write, params } = copyCall(x, y, options);
  return { family: addKernels, read, write, params: { ...params, scale } };
}

function fillCall(y: Tensor, value: number): Call {
  return { family: fillKernels, read: {}, write: { y }, params: { size: y.size, value } };
}

function copyCall(x: Operand, y: Operand, { rows, width, fromRow = 0, fromColumn = 0, toRow = 0, toColumn = 0 }: CopyOptions) {
  return {
    family: copyKernels,
    read: { x },
    write: { y },
    params: {
      rows,
      width,
      xStride: x.shape.at(-1)!,
      xOffset: fromColumn,
      xRow: fromRow,
      yStride: y.shape.at(-1)!,
      yOffset: toColumn,
      yRow: toRow,
    },
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
