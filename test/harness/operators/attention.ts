/** Rotary embedding and attention, traced from our ops. */
import type { Tensor } from "../../../src/graph/tensor.ts";
import * as ops from "../../../src/ops/index.ts";
import type { OperatorCase } from "../operator-goldens.ts";
import type { Differentiated, Sketch } from "../sketch.ts";
import { swap, swapBack, type Trace } from "./traced.ts";

const product = (shape: readonly number[]): number => shape.reduce((total, length) => total * length, 1);

export const rotary: Trace = async (sketch, golden) => {
  const shape = golden.shape("x");
  const [batch, heads, tokens, headSize] = shape as [number, number, number, number];
  const positions = golden.integers("positions");
  const table = Float32Array.from({ length: (positions.at(-1)! + 1) * headSize }, (_, i) => {
    const pair = i % (headSize / 2);
    const angle = Math.floor(i / headSize) * golden.attributes.theta! ** ((-2 * pair) / headSize);
    return i % headSize < headSize / 2 ? Math.cos(angle) : Math.sin(angle);
  });
  const x = sketch.input("x", [batch * tokens, heads * headSize], swap(golden.floats("input.x"), shape));
  const resident = await sketch.resident("rotary table", [table.length / headSize, headSize], table);
  const options = { heads, headSize, position: positions[0]!, sequence: tokens };
  return {
    y: ops.rotary({ of: x, offset: 0 }, resident, options),
    upstream: swap(golden.floats("upstream.y"), shape),
    results: ({ y, gradients }) => ({ y: swapBack(y, shape), x: swapBack(gradients.x!, shape) }),
  };
};

/** Queries, keys and values as rows of tokens, and the sizes that `attention` wants. */
function attentionInputs(sketch: Sketch, golden: OperatorCase) {
  const [batch, heads, queries, headSize] = golden.shape("q") as [number, number, number, number];
  const [, keyValueHeads, keys] = golden.shape("k") as [number, number, number];
  const [q, k, v] = ["q", "k", "v"].map((name) => {
    const [samples, count, tokens, width] = golden.shape(name) as [number, number, number, number];
    return sketch.input(name, [samples * tokens, count * width], swap(golden.floats(`input.${name}`), golden.shape(name)));
  }) as [Tensor, Tensor, Tensor];
  return { q, k, v, sizes: { batch, heads, keyValueHeads, headSize, queries, keys } };
}

const attentionResults = (golden: OperatorCase, keepRow = (_row: number) => true) => ({ y, gradients }: Differentiated) => {
  const width = product(golden.shape("y")) / (golden.shape("y")[0]! * golden.shape("y")[2]!);
  const kept = y.map((value, i) => (keepRow(Math.floor(i / width)) ? value : 0));
  return {
    y: swapBack(kept, golden.shape("y")),
    ...Object.fromEntries(["q", "k", "v"].map((name) => [name, swapBack(gradients[name]!, golden.shape(name))])),
  };
};

/** `attention` of a whole batch. Padded queries have no defined output: their rows are set to 0, as the goldens store them. */
export const attention = (causal: boolean): Trace => (sketch, golden) => {
  const { q, k, v, sizes } = attentionInputs(sketch, golden);
  const mask = golden.shape("mask") && golden.integers("mask");
  return {
    y: ops.attention({ of: q, offset: 0 }, { of: k, offset: 0 }, { of: v, offset: 0 }, { ...sizes, causal }),
    upstream: swap(golden.floats("upstream.y"), golden.shape("y")),
    results: attentionResults(golden, (row) => mask?.[row] !== 0),
  };
};

/** `attention` of every sequence on its real rows alone, which are put together at the end. */
export const attentionBySequence: Trace = (sketch, golden) => {
  const { q, k, v, sizes } = attentionInputs(sketch, golden);
  const { batch, queries, heads, headSize } = sizes;
  const mask = golden.integers("mask");
  const real = Array.from(mask.keys()).filter((row) => mask[row] === 1);
  const width = heads * headSize;
  const sequences = Array.from({ length: batch }, (_, b) => {
    const rows = real.filter((row) => Math.floor(row / queries) === b);
    const slice = (of: Tensor) => ({ of: ops.sliceRows(of, { rows: rows.length, width: of.width, fromRow: rows[0]! }), offset: 0 });
    const causal = golden.name.startsWith("causal");
    return ops.attention(slice(q), slice(k), slice(v), { ...sizes, batch: 1, queries: rows.length, keys: rows.length, causal });
  });
  const upstream = swap(golden.floats("upstream.y"), golden.shape("y"));
  return {
    y: ops.concat(sequences, "rows"),
    upstream: Float32Array.from(real.flatMap((row) => [...upstream.subarray(row * width, (row + 1) * width)])),
    results: ({ y, gradients }) => {
      const padded = new Float32Array(upstream.length);
      real.forEach((row, i) => padded.set(y.subarray(i * width, (i + 1) * width), row * width));
      return attentionResults(golden)({ y: padded, gradients });
    },
  };
};
