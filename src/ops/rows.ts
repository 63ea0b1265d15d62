import { copyRows as copyKernels, mixRows as mixKernels, placeRows as placeKernels } from "../../kernels/index.ts";
import type { Graph } from "../graph/graph.ts";
import { expectShape, type Operand, type Resident, type Scalar, shapeText, type Tensor } from "../graph/tensor.ts";

export interface CopyOptions {
  readonly rows: number;
  readonly width: number;
  readonly fromRow?: number | Scalar;
  readonly fromColumn?: number;
  readonly toRow?: number | Scalar;
  readonly toColumn?: number;
}

/** Copies a block of `rows` x `width` elements of x [·, C] into resident data, at row `toRow`. */
export function writeRows(graph: Graph, x: Operand, into: Resident, options: CopyOptions): void {
  graph.record({ op: "writeRows", inputs: [x], outputs: [], calls: [copyCall(x, into, options)] });
}

/** All but the first `count` tokens of every sequence: x [B, T, D] -> [B, T - count, D]. */
export function dropFirst(x: Tensor, count: number): Tensor {
  const [batch, tokens, width] = x.shape as [number, number, number];
  const rows = tokens - count;
  const y = x.graph.value([batch, rows, width]);
  const calls = Array.from({ length: batch }, (_, b) => copyCall(x, y, { rows, width, fromRow: b * tokens + count, toRow: b * rows }));
  x.graph.record({ op: "dropFirst", inputs: [x], outputs: [y], calls });
  return y;
}

/** A block of the rows of x [·, C] as a new value [rows, width]. */
export function sliceRows(x: Tensor, options: CopyOptions): Tensor {
  const y = x.graph.value([options.rows, options.width]);
  x.graph.record({ op: "sliceRows", inputs: [x], outputs: [y], calls: [copyCall(x, y, options)] });
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
  first.graph.record({ op: "concat", inputs: parts, outputs: [y], calls });
  return y;
}

/**
 * y[r] = Σ_t weight[r, t] · x[index[r, t]]: one table-driven operation for gathering, bilinear resizing and average pooling of
 * feature maps. x [n, D], index [m, T] (u32), weight [m, T] -> [m, D].
 */
export function mixRows(x: Operand & { readonly shape: readonly number[] }, index: Tensor, weight: Tensor): Tensor {
  const width = x.shape.at(-1)!;
  const [rows, taps] = index.shape as [number, number];
  const y = index.graph.value([rows, width]);
  index.graph.record({
    op: "mixRows",
    inputs: [x, index, weight],
    outputs: [y],
    calls: [{ family: mixKernels, read: { x, index, weight }, write: { y }, params: { rows, taps, width } }],
  });
  return y;
}

/** Marks a row of `placeRows` that keeps its text embedding. */
export const TEXT = 0xffffffff;

/**
 * y[i] = source[i] is TEXT ? text[i] : rows[source[i]]: image features take the places of the image tokens.
 * text [n, D], rows [m, D], source [n] (u32) -> [n, D].
 */
export function placeRows(text: Tensor, rows: Operand, source: Tensor): Tensor {
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
  });
  return y;
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
