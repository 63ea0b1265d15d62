/** The backward kernels of linear layers, attention and the loss give PyTorch's gradients. */
import { afterAll, describe, expect, it } from "vitest";
import * as kernels from "../kernels/index.ts";
import type { Family, HostArray, HostArrays, Kernel, Params } from "../kernels/index.ts";
import { Gpu } from "../src/gpu/gpu.ts";
import { testAdapters } from "./harness/adapters.ts";
import { expectGolden, type OperatorCase, operatorCases } from "./harness/operator-goldens.ts";
import { runKernel } from "./harness/run-kernel.ts";

/** Runs one variant of a family; `lengths` are those of the outputs. */
type Run = <R extends string, W extends string, P extends string>(
  family: Family<R, W, P>,
  inputs: HostArrays<R> & Partial<HostArrays<W>>,
  lengths: Record<W, number>,
  params: Params<P>,
) => Promise<Record<W, Float32Array>>;

/** `pick` takes one of the variants that the adapter can run. */
const runner =
  (gpu: Gpu, pick: (usable: Kernel[]) => Kernel | undefined): Run =>
  async (typed, inputs, lengths, params) => {
    const family = typed as unknown as Family;
    const { traits } = gpu;
    const usable = family.variants.filter(
      ({ needs, accepts }) => needs.every((feature) => traits.features.has(feature)) && (accepts?.(params, traits) ?? true),
    );
    const kernel = pick(usable)!;
    const outputs = Object.fromEntries(
      Object.entries<number>(lengths).map(([name, length]) => [name, { length, type: "f32" as const }]),
    );
    const results = await runKernel(gpu, family, kernel, inputs as HostArrays, outputs, params);
    return results as Record<string, Float32Array>;
  };

/** dX = dY · W, dW = dYᵀ · X, db = sum of the rows of dY. */
async function linear(run: Run, golden: OperatorCase): Promise<void> {
  const [columns, inner] = golden.shape("weight") as [number, number];
  const [x, weight, dy] = [golden.floats("input.x"), golden.floats("input.weight"), golden.floats("upstream.y")];
  const rows = x.length / inner;
  const common = { rows, xStride: columns, xOffset: 0, yStride: inner, accumulate: 0 };
  const dx = await run(
    kernels.matmulNN, { x: dy, weight }, { y: x.length },
    { ...common, columns: inner, inner: columns },
  );
  expectGolden(golden, "x", dx.y);
  const dw = await run(
    kernels.matmulTN, { x: dy, z: x }, { y: weight.length },
    { ...common, columns, width: inner, zStride: inner, yRow: 0 },
  );
  expectGolden(golden, "weight", dw.y);
  if (!golden.shape("bias")) return;
  const db = await run(
    kernels.sumRows, { x: dy }, { y: columns },
    { rows, width: columns, xStride: columns, xOffset: 0, yOffset: 0, accumulate: 0 },
  );
  expectGolden(golden, "bias", db.y);
}

/**
 * [batch, first, second, width] -> [batch, second, first, width]: from the goldens' heads of tokens to the kernels'
 * tokens of heads, and back.
 */
function swap(values: HostArray, [batch, first, second, width]: readonly number[]): Float32Array {
  const swapped = new Float32Array(values.length);
  for (let b = 0; b < batch; b++) {
    for (let f = 0; f < first; f++) {
      for (let s = 0; s < second; s++) {
        const from = ((b * first + f) * second + s) * width;
        swapped.set(values.subarray(from, from + width), ((b * second + s) * first + f) * width);
      }
    }
  }
  return swapped;
}

const attention = (causal: number) => async (run: Run, golden: OperatorCase): Promise<void> => {
  const [batch, heads, queries, headSize] = golden.shape("q") as [number, number, number, number];
  const [, kvHeads, keys] = golden.shape("k") as [number, number, number];
  const [q, k, v] = ["q", "k", "v"].map((name) => swap(golden.floats(`input.${name}`), golden.shape(name)));
  const dy = swap(golden.floats("upstream.y"), golden.shape("y"));
  const params = {
    batch, queries, keys, heads, kvHeads, headSize,
    qStride: heads * headSize, qOffset: 0,
    kStride: kvHeads * headSize, kOffset: 0,
    vStride: kvHeads * headSize, vOffset: 0,
    position: 0, causal, window: 0, scale: headSize ** -0.5,
  };
  const rows = batch * heads * queries;
  const { y, lse } = await run(kernels.attention, { q, k, v }, { y: q.length, lse: rows }, params);
  const { delta } = await run(kernels.attentionDelta, { dy, y }, { delta: rows }, { batch, queries, heads, headSize });
  const inputs = { q, k, v, dy, lse, delta };
  const { dq } = await run(kernels.attentionBackwardQ, inputs, { dq: q.length }, params);
  const { dk, dv } = await run(kernels.attentionBackwardKV, inputs, { dk: k.length, dv: v.length }, params);
  for (const [name, got, first, second] of [
    ["y", y, queries, heads], ["q", dq, queries, heads], ["k", dk, keys, kvHeads], ["v", dv, keys, kvHeads],
  ] as const) {
    expectGolden(golden, name, swap(got, [batch, first, second, headSize]));
  }
};

/** Labels of a loss: those below 0 are ignored; the next token's for `shifted`. */
function labelsOf(golden: OperatorCase): Uint32Array {
  const labels = golden.integers("labels");
  const tokens = golden.shape("labels")[1]!;
  const shift = golden.name === "shifted" ? 1 : 0;
  return Uint32Array.from(labels, (_, i) => {
    const label = (i % tokens) + shift < tokens ? labels[i + shift]! : -1;
    return label < 0 ? kernels.IGNORED_LABEL : label;
  });
}

/** In two blocks of rows, as logits too large for one buffer have it. */
async function crossEntropy(run: Run, golden: OperatorCase): Promise<void> {
  const logits = golden.floats("input.logits");
  const width = golden.shape("logits").at(-1)!;
  const labels = labelsOf(golden);
  const counting = golden.attributes.count ?? labels.filter((label) => label !== kernels.IGNORED_LABEL).length;
  const weight = new Float32Array(labels.length).fill(1 / counting);
  const half = Math.floor(labels.length / 2);
  let entries: Record<"loss" | "lse", Float32Array> = {
    loss: new Float32Array(labels.length),
    lse: new Float32Array(labels.length),
  };
  const gradient = new Float32Array(logits.length);
  for (const [firstRow, rows] of [[0, half], [half, labels.length - half]] as const) {
    const params = { rows, width, firstRow };
    const block = logits.slice(firstRow * width, (firstRow + rows) * width);
    const lengths = { loss: labels.length, lse: labels.length };
    entries = await run(kernels.crossEntropy, { logits: block, labels, weight, ...entries }, lengths, params);
    const inputs = { labels, weight, lse: entries.lse, logits: block };
    const back = await run(kernels.crossEntropyBackward, inputs, { logits: block.length }, params);
    gradient.set(back.logits, firstRow * width);
  }
  expectGolden(golden, "y", [entries.loss.reduce((sum, loss) => sum + loss, 0)]);
  expectGolden(golden, "logits", gradient);
}

const operations: [name: string, check: (run: Run, golden: OperatorCase) => Promise<void>][] = [
  ["linear", linear],
  ["attention_causal", attention(1)],
  ["attention_full", attention(0)],
  ["cross_entropy", crossEntropy],
];
const goldens = await Promise.all(
  operations.map(async ([name, check]) => ({ name, check, cases: await operatorCases(name) })),
);

for (const found of await testAdapters()) {
  const gpu = await Gpu.open(found);
  afterAll(() => gpu.dispose());

  describe(`gradients of PyTorch on ${found.name}`, () => {
    for (const { name, check, cases } of goldens) {
      for (const golden of cases) {
        it(`${name} ${golden.name}: baseline`, () => check(runner(gpu, (usable) => usable[0]), golden));
        it(`${name} ${golden.name}: last variant`, () => check(runner(gpu, (usable) => usable.at(-1)), golden));
      }
    }

    it.each([NaN, Infinity])("a logit of %d leaves no finite loss in its row, whatever the column", async (bad) => {
      const width = 1028;
      const logits = new Float32Array(3 * width).fill(1);
      logits[5] = bad; // row 0: the label's own
      logits[width + width - 1] = bad;
      const labels = Uint32Array.of(5, 5, 5);
      const weight = new Float32Array(3).fill(1);
      for (const end of [0, -1]) {
        const run = runner(gpu, (usable) => usable.at(end));
        const params = { rows: 3, width, firstRow: 0 };
        const { loss } = await run(kernels.crossEntropy, { logits, labels, weight }, { loss: 3, lse: 3 }, params);
        expect(Array.from(loss, Number.isFinite)).toEqual([false, false, true]);
      }
    });
  });
}
