/**
 * The output and every gradient of single operations, traced from our ops and differentiated by `gradients`, equal PyTorch's.
 *
 * Not expressible in our ops, so not here: `gated_cross_attention` (no model of this family has the tanh-gated block of
 * Flamingo) and `softmax` (an operation of its own nowhere; test/backward-light.test.ts checks its kernels). A mask of
 * padded keys exists nowhere either: batches are padded on the right, where the causal mask hides the padding. The
 * masked cases are therefore traced twice: whole, where that suffices, and one sequence at a time on its real rows,
 * which also gives what a mask on the left or without causality would.
 */
import { afterAll, describe, expect, it } from "vitest";
import { Gpu } from "../../src/gpu/gpu.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { packTable } from "../../src/input/pack.ts";
import * as ops from "../../src/ops/index.ts";
import { layOutBatch } from "../../src/train/batch.ts";
import { testAdapters } from "../harness/adapters.ts";
import { expectGolden, type OperatorCase, operatorCases } from "../harness/operator-goldens.ts";
import { averagePoolTable, bilinearTable, type RowMixValues, rowTable, transposedTable } from "../harness/row-tables.ts";
import { type Differentiated, Sketch } from "../harness/sketch.ts";

/** A traced case. */
interface Traced {
  readonly y: Tensor;
  /** The gradient from above in the layout of y; absent: as it is stored. */
  readonly upstream?: Float32Array;
  /** Results by golden name in the goldens' layout; absent: as they are, by the names of the sketch. */
  readonly results?: (got: Differentiated) => Readonly<Record<string, ArrayLike<number>>>;
}

type Trace = (sketch: Sketch, golden: OperatorCase) => Promise<Traced> | Traced;

const product = (shape: readonly number[]): number => shape.reduce((total, length) => total * length, 1);

const input = (sketch: Sketch, golden: OperatorCase, name: string, shape = golden.shape(name)): Tensor =>
  sketch.input(name, shape, golden.floats(`input.${name}`));

/** A weight by its golden name, its rows in `blocks` buffers. */
const weight = (sketch: Sketch, golden: OperatorCase, name: string, { shape = golden.shape(name), blocks = 1 } = {}) =>
  sketch.parameter(name, shape, golden.floats(`input.${name}`), blocks);

const linear = (blocks: number): Trace => async (sketch, golden) => {
  const bias = golden.shape("bias") && (await weight(sketch, golden, "bias"));
  return { y: ops.linear(input(sketch, golden, "x"), await weight(sketch, golden, "weight", { blocks }), bias) };
};

const embedding = (blocks: number): Trace => async (sketch, golden) => {
  const ids = Uint32Array.from(golden.integers("ids"));
  return { y: ops.embedding(sketch.constant("ids", [ids.length], ids), await weight(sketch, golden, "table", { blocks })) };
};

const layerNorm: Trace = async (sketch, golden) => {
  const [x, scale, bias] = [input(sketch, golden, "x"), await weight(sketch, golden, "weight"), await weight(sketch, golden, "bias")];
  return { y: ops.layerNorm(x, scale, bias, golden.attributes.eps!) };
};

const rmsNorm: Trace = async (sketch, golden) => ({
  y: ops.rmsNorm(input(sketch, golden, "x"), await weight(sketch, golden, "weight"), golden.attributes.eps!),
});

const activation = (kind: ops.Activation): Trace => (sketch, golden) => ({ y: ops.activation(input(sketch, golden, "x"), kind) });

const mlp: Trace = async (sketch, golden) => {
  const kind = ({ quick_gelu: "quick-gelu", gelu_tanh: "gelu-tanh", gelu_erf: "gelu" } as const)[golden.name]!;
  const up = ops.linear(input(sketch, golden, "x"), await weight(sketch, golden, "fc1_weight"), await weight(sketch, golden, "fc1_bias"));
  return { y: ops.linear(ops.activation(up, kind), await weight(sketch, golden, "fc2_weight"), await weight(sketch, golden, "fc2_bias")) };
};

/** Gate and up stacked by rows, as the decoder has them. */
const swiglu: Trace = async (sketch, golden) => {
  const [inner, width] = golden.shape("gate") as [number, number];
  const both = Float32Array.from([...golden.floats("input.gate"), ...golden.floats("input.up")]);
  const gateUp = await sketch.parameter("gateUp", [2 * inner, width], both);
  const hidden = ops.gated(ops.linear(input(sketch, golden, "x"), gateUp), "silu");
  return {
    y: ops.linear(hidden, await weight(sketch, golden, "down")),
    results: ({ y, gradients: { gateUp: stacked, ...rest } }) => ({
      y,
      ...rest,
      gate: stacked!.subarray(0, inner * width),
      up: stacked!.subarray(inner * width),
    }),
  };
};

/** [batch, first, second, width] -> [batch, second, first, width]: from the goldens' heads of tokens to tokens of heads, and back. */
function swap(values: Float32Array, [batch, first, second, width]: readonly number[]): Float32Array {
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
const swapBack = (values: Float32Array, [batch, first, second, width]: readonly number[]): Float32Array =>
  swap(values, [batch!, second!, first!, width!]);

const rotary: Trace = async (sketch, golden) => {
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
const attention = (causal: boolean): Trace => (sketch, golden) => {
  const { q, k, v, sizes } = attentionInputs(sketch, golden);
  const mask = golden.shape("mask") && golden.integers("mask");
  return {
    y: ops.attention({ of: q, offset: 0 }, { of: k, offset: 0 }, { of: v, offset: 0 }, { ...sizes, causal }),
    upstream: swap(golden.floats("upstream.y"), golden.shape("y")),
    results: attentionResults(golden, (row) => mask?.[row] !== 0),
  };
};

/** `attention` of every sequence on its real rows alone, which are put together at the end. */
const attentionBySequence: Trace = (sketch, golden) => {
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

/** A convolution whose stride is its size: patches as rows, times the kernel flattened. */
const patchEmbedding: Trace = async (sketch, golden) => {
  const [outputs, channels, patch] = golden.shape("weight") as [number, number, number];
  const flat = await weight(sketch, golden, "weight", { shape: [outputs, channels * patch * patch] });
  const bias = golden.shape("bias") && (await weight(sketch, golden, "bias"));
  return { y: ops.linear(ops.unfold(input(sketch, golden, "pixels"), patch), flat, bias) };
};

/** The sum of the rows' losses; every learning position weighs 1 / count. The next token's label for `shifted`. */
function loss(sketch: Sketch, golden: OperatorCase, hidden: Tensor, head: Parameters<typeof ops.linearCrossEntropy>[1]): Traced {
  const stored = golden.integers("labels");
  const tokens = golden.shape("labels")[1]!;
  const shift = golden.name === "shifted" ? 1 : 0;
  const labels = Uint32Array.from(stored, (_, i) => {
    const label = (i % tokens) + shift < tokens ? stored[i + shift]! : -1;
    return label < 0 ? ops.IGNORED : label;
  });
  const count = golden.attributes.count ?? labels.filter((label) => label !== ops.IGNORED).length;
  const shares = new Float32Array(labels.length).fill(golden.floats("upstream.y")[0]! / count);
  return {
    y: ops.linearCrossEntropy(hidden, head, sketch.constant("labels", [labels.length], labels), sketch.constant("shares", [labels.length], shares)),
    upstream: new Float32Array(labels.length).fill(1),
    results: ({ y, gradients }) => ({ ...gradients, y: [y.reduce((total, row) => total + row, 0)] }),
  };
}

/** The head is the identity, so that hidden states are logits. */
const crossEntropy: Trace = async (sketch, golden) => {
  const vocabulary = golden.shape("logits").at(-1)!;
  const logits = golden.floats("input.logits");
  const identity = Float32Array.from({ length: vocabulary ** 2 }, (_, i) => (i % (vocabulary + 1) === 0 ? 1 : 0));
  const head = await sketch.parameter("identity", [vocabulary, vocabulary], identity);
  const traced = loss(sketch, golden, sketch.input("logits", [logits.length / vocabulary, vocabulary], logits), head);
  return {
    ...traced,
    results: (got) => {
      const { identity: _, ...results } = traced.results!(got);
      return results;
    },
  };
};

const linearCrossEntropy = (blocks: number): Trace => async (sketch, golden) => {
  const [batch, tokens, width] = golden.shape("hidden") as [number, number, number];
  const hidden = input(sketch, golden, "hidden", [batch * tokens, width]);
  return loss(sketch, golden, hidden, await weight(sketch, golden, "weight", { blocks }));
};

/** The two inputs of a table. */
const tableInputs = (sketch: Sketch, name: string, { rows, taps, index, weight: shares }: RowMixValues): ops.RowMix => ({
  index: sketch.constant(`${name} index`, [rows, taps], index),
  weight: sketch.constant(`${name} weight`, [rows, taps], shares),
});

/** A map of features [batch, channels, height, width] as rows [batch · height · width, channels], mixed by a table. */
const featureMap = (table: (batch: number, golden: OperatorCase) => RowMixValues): Trace => (sketch, golden) => {
  const [batch, channels, height, width] = golden.shape("x") as [number, number, number, number];
  const flat = [batch, channels, height * width, 1];
  const [, , outHeight, outWidth] = golden.shape("y") as [number, number, number, number];
  const out = [batch, channels, outHeight * outWidth, 1];
  const x = sketch.input("x", [batch * height * width, channels], swap(golden.floats("input.x"), flat));
  const mix = table(batch, golden);
  const forth = tableInputs(sketch, "table", mix);
  return {
    y: ops.mixRows(x, forth.index, forth.weight, tableInputs(sketch, "transposed", transposedTable(mix, x.rows))),
    upstream: swap(golden.floats("upstream.y"), out),
    results: ({ y, gradients }) => ({ y: swapBack(y, out), x: swapBack(gradients.x!, flat) }),
  };
};

const sides = (shape: readonly number[]) => shape.slice(-2) as [number, number];
const bilinear = featureMap((batch, golden) => bilinearTable(batch, sides(golden.shape("x")), sides(golden.shape("y"))));
const averagePool = featureMap((batch, golden) => averagePoolTable(batch, sides(golden.shape("x")), golden.attributes.window!));

/** Image rows in order take the places of the image tokens. */
const mergeImageRows: Trace = (sketch, golden) => {
  const [batch, tokens, width] = golden.shape("embeddings") as [number, number, number];
  const isImage = golden.integers("is_image");
  const places = Array.from(isImage.keys()).filter((row) => isImage[row] === 1);
  const source = new Uint32Array(isImage.length).fill(ops.TEXT);
  places.forEach((row, i) => (source[row] = i));
  const text = input(sketch, golden, "embeddings", [batch * tokens, width]);
  const inverse = {
    text: tableInputs(sketch, "text", rowTable(Array.from(isImage, (image, row) => [[row, image ? 0 : 1]]))),
    rows: tableInputs(sketch, "rows", rowTable(places.map((row) => [[row, 1]]))),
  };
  return { y: ops.placeRows(text, input(sketch, golden, "features"), sketch.constant("source", [source.length], source), inverse) };
};

/** The rows of a picture with a newline behind every row of its map, by the tables of the data layer. */
const packAnyres: Trace = async (sketch, golden) => {
  const { rows: down, columns, top, left, map: side } = golden.attributes as Record<string, number>;
  const [tiles, area, width] = golden.shape("features") as [number, number, number];
  // A picture as wide and high as the part of the map that is kept.
  const originalSize = [(down! * side! - 2 * top!) * 100, (columns! * side! - 2 * left!) * 100] as const;
  const table = packTable({ side: side!, grid: [down!, columns!], originalSize, newline: true });
  const batch = {
    inputIds: [Array.from({ length: table.rows }, () => 1)],
    labels: [Array.from({ length: table.rows }, () => -100)],
    pixelValues: { shape: [1, tiles, 1, 1, 1], data: new Float32Array(tiles) },
  };
  const { values, taps } = layOutBatch(batch, [{ tiles, table }], area, 1);
  const mix = (name: string, rows: number, count: number): ops.RowMix => ({
    index: sketch.constant(`${name}Index`, [rows, count], values[`${name}Index`]!),
    weight: sketch.constant(`${name}Weight`, [rows, count], values[`${name}Weight`]!),
  });
  const features = input(sketch, golden, "features", [tiles * area, width]);
  const pack = mix("pack", table.rows, taps.pack);
  const packed = ops.mixRows(features, pack.index, pack.weight, mix("unpack", features.rows, taps.unpack));
  const newline = mix("newline", table.rows, 1);
  const lines = {
    index: sketch.constant("newlineRows", [1, taps.newlines], values.newlineRows!),
    weight: sketch.constant("newlineOnes", [1, taps.newlines], values.newlineOnes!),
  };
  const row = ops.parameterRow(sketch.graph, await weight(sketch, golden, "newline"));
  return { y: ops.add(packed, ops.mixRows(row, newline.index, newline.weight, lines)) };
};

const operations: readonly (readonly [operation: string, trace: Trace, note?: string])[] = [
  ["linear", linear(1)],
  ["linear", linear(2), "weight in two buffers"],
  ["embedding", embedding(1)],
  ["embedding", embedding(2), "weight in two buffers"],
  ["layer_norm", layerNorm],
  ["rms_norm", rmsNorm],
  ["gelu_erf", activation("gelu")],
  ["gelu_tanh", activation("gelu-tanh")],
  ["quick_gelu", activation("quick-gelu")],
  ["silu", activation("silu")],
  ["mlp", mlp],
  ["swiglu_mlp", swiglu],
  ["rotary_embedding", rotary],
  ["attention_causal", attention(true)],
  ["attention_full", attention(false)],
  ["attention_padding_mask", attentionBySequence, "by sequence"],
  ["patch_embedding", patchEmbedding],
  ["cross_entropy", crossEntropy],
  ["linear_cross_entropy", linearCrossEntropy(1)],
  ["linear_cross_entropy", linearCrossEntropy(2), "weight in two buffers"],
  ["bilinear_resize", bilinear],
  ["average_pool", averagePool],
  ["merge_image_rows", mergeImageRows],
  ["pack_anyres", packAnyres],
];

const goldens = await Promise.all(
  operations.map(async ([operation, trace, note]) => ({
    title: note ? `${operation}, ${note}` : operation,
    trace,
    cases: await operatorCases(operation),
  })),
);
const rightPadded = (await operatorCases("attention_padding_mask")).filter(({ name }) => name === "causal_right_padding");
goldens.push({ title: "attention_padding_mask, as one batch", trace: attention(true), cases: rightPadded });

for (const found of await testAdapters()) {
  const gpu = await Gpu.open(found);
  afterAll(() => gpu.dispose());

  describe(`operators of PyTorch on ${found.name}`, () => {
    for (const { title, trace, cases } of goldens) {
      for (const golden of cases) {
        it(`${title}: ${golden.name}`, async () => {
          const sketch = new Sketch(gpu);
          try {
            const { y, upstream = golden.floats("upstream.y"), results } = await trace(sketch, golden);
            const got = await sketch.differentiate(y, upstream);
            const named = results ? results(got) : { y: got.y, ...got.gradients };
            expect(Object.keys(named).toSorted()).toEqual(golden.results.toSorted());
            for (const [name, values] of Object.entries(named)) expectGolden(golden, name, values);
          } finally {
            sketch.dispose();
          }
        });
      }
    }
  });
}
