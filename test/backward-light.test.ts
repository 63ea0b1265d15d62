/** The backward kernels of norms, activations, softmax, rotary embedding and embedding give PyTorch's gradients. */
import { afterAll, describe, it } from "vitest";
import * as kernels from "../kernels/index.ts";
import type { Family, HostArrays, Params } from "../kernels/index.ts";
import { Gpu } from "../src/gpu/gpu.ts";
import { testAdapters } from "./harness/adapters.ts";
import { expectGolden, type OperatorCase, operatorCases } from "./harness/operator-goldens.ts";
import { runKernel } from "./harness/run-kernel.ts";

/** Runs the last variant that accepts the parameters; `lengths` are those of the outputs. */
type Run = <R extends string, W extends string, P extends string>(
  family: Family<R, W, P>,
  inputs: HostArrays<R>,
  lengths: Record<W, number>,
  params: Params<P>,
) => Promise<Record<W, Float32Array>>;

const runner =
  (gpu: Gpu): Run =>
  async (typed, inputs, lengths, params) => {
    const family = typed as unknown as Family;
    const kernel = family.variants.filter(({ accepts }) => accepts?.(params, gpu.traits) ?? true).at(-1)!;
    const outputs = Object.fromEntries(
      Object.entries<number>(lengths).map(([name, length]) => [name, { length, type: "f32" as const }]),
    );
    return (await runKernel(gpu, family, kernel, inputs, outputs, params)) as Record<string, Float32Array>;
  };

/** The rows and the width of a tensor whose last dimension is the width. */
function matrix(shape: readonly number[]): { rows: number; width: number } {
  const width = shape.at(-1)!;
  return { rows: shape.reduce((product, size) => product * size, 1) / width, width };
}

async function layerNorm(run: Run, golden: OperatorCase): Promise<void> {
  const { rows, width } = matrix(golden.shape("x"));
  const params = { rows, width, epsilon: golden.attributes.eps! };
  const [x, weight, dy] = [golden.floats("input.x"), golden.floats("input.weight"), golden.floats("upstream.y")];
  const { dx } = await run(kernels.layerNormBackward, { x, weight, dy }, { dx: x.length }, params);
  const { mean, scale } = await run(kernels.rowStatistics, { x }, { mean: rows, scale: rows }, params);
  const lengths = { dweight: width, dbias: width };
  const sums = await run(kernels.layerNormBackwardWeight, { x, dy, mean, scale }, lengths, { rows, width });
  expectGolden(golden, "x", dx);
  expectGolden(golden, "weight", sums.dweight);
  expectGolden(golden, "bias", sums.dbias);
}

async function rmsNorm(run: Run, golden: OperatorCase): Promise<void> {
  const { rows, width } = matrix(golden.shape("x"));
  const params = { rows, width, epsilon: golden.attributes.eps! };
  const [x, weight, dy] = [golden.floats("input.x"), golden.floats("input.weight"), golden.floats("upstream.y")];
  const { dx } = await run(kernels.rmsNormBackward, { x, weight, dy }, { dx: x.length }, params);
  const { scale } = await run(kernels.rmsScale, { x }, { scale: rows }, params);
  const { dweight } = await run(kernels.rmsNormBackwardWeight, { x, dy, scale }, { dweight: width }, { rows, width });
  expectGolden(golden, "x", dx);
  expectGolden(golden, "weight", dweight);
}

const activation = (family: Family<"x" | "dy", "dx", "size">) => async (run: Run, golden: OperatorCase) => {
  const x = golden.floats("input.x");
  const { dx } = await run(family, { x, dy: golden.floats("upstream.y") }, { dx: x.length }, { size: x.length });
  expectGolden(golden, "x", dx);
};

async function softmax(run: Run, golden: OperatorCase): Promise<void> {
  const params = { ...matrix(golden.shape("x")), scale: 1 };
  const x = golden.floats("input.x");
  const { y } = await run(kernels.softmax, { x }, { y: x.length }, params);
  const { dx } = await run(kernels.softmaxBackward, { y, dy: golden.floats("upstream.y") }, { dx: x.length }, params);
  expectGolden(golden, "y", y);
  expectGolden(golden, "x", dx);
}

/** y = (silu(x gateᵀ) · (x upᵀ)) downᵀ: the kernel computes the middle, these loops the products around it. */
async function swiglu(run: Run, golden: OperatorCase): Promise<void> {
  const { rows, width } = matrix(golden.shape("x"));
  const inner = golden.shape("gate")[0]!;
  const [x, gate, up, down] = ["x", "gate", "up", "down"].map((name) => golden.floats(`input.${name}`));
  const upstream = golden.floats("upstream.y");
  const both = Float32Array.from([...gate, ...up]); // [2 · inner, width]
  const sum = (length: number, term: (k: number) => number): number => {
    let total = 0;
    for (let k = 0; k < length; k++) total += term(k);
    return total;
  };
  const fillMatrix = (n: number, m: number, value: (i: number, j: number) => number) =>
    Float32Array.from({ length: n * m }, (_, i) => value(Math.floor(i / m), i % m));

  const hidden = fillMatrix(rows, 2 * inner, (r, j) => sum(width, (c) => x[r * width + c] * both[j * width + c]));
  const dy = fillMatrix(rows, inner, (r, j) => sum(width, (c) => upstream[r * width + c] * down[c * inner + j]));
  const params = { rows, width: inner, kind: kernels.activationKinds.silu };
  const { dx: dhidden } = await run(kernels.gatedBackward, { x: hidden, dy }, { dx: hidden.length }, params);
  const dboth = fillMatrix(2 * inner, width, (j, c) => sum(rows, (r) => dhidden[r * 2 * inner + j] * x[r * width + c]));
  const dx = fillMatrix(rows, width, (r, c) => sum(2 * inner, (j) => dhidden[r * 2 * inner + j] * both[j * width + c]));
  expectGolden(golden, "gate", dboth.subarray(0, inner * width));
  expectGolden(golden, "up", dboth.subarray(inner * width));
  expectGolden(golden, "x", dx);
}

/** The goldens lie as [batch, heads, tokens, width]: each head of each sample is a sequence of one-headed rows. */
async function rotary(run: Run, golden: OperatorCase): Promise<void> {
  const { rows, width } = matrix(golden.shape("x"));
  const positions = golden.integers("positions");
  const table = Float32Array.from({ length: (positions.at(-1)! + 1) * width }, (_, i) => {
    const pair = i % (width / 2);
    const angle = Math.floor(i / width) * golden.attributes.theta! ** ((-2 * pair) / width);
    return i % width < width / 2 ? Math.cos(angle) : Math.sin(angle);
  });
  const params = {
    rows, heads: 1, headSize: width,
    xStride: width, xOffset: 0, yStride: width, yOffset: 0, yRow: 0,
    position: positions[0]!, sequence: positions.length,
  };
  for (const [name, from, inverse] of [["y", "input.x", 0], ["x", "upstream.y", 1]] as const) {
    const x = golden.floats(from);
    const { y } = await run(kernels.rotary, { x, table }, { y: x.length }, { ...params, inverse });
    expectGolden(golden, name, y);
  }
}

async function embedding(run: Run, golden: OperatorCase): Promise<void> {
  const ids = Uint32Array.from(golden.integers("ids"));
  const [vocabulary, width] = golden.shape("table") as [number, number];
  const dy = golden.floats("upstream.y");
  // In two blocks, as a table beyond the binding limit has it.
  const table = new Float32Array(vocabulary * width);
  const half = Math.floor(vocabulary / 2);
  for (const [first, count] of [[0, half], [half, vocabulary - half]] as const) {
    const params = { rows: ids.length, width, first, count, accumulate: 0 };
    const { y } = await run(kernels.embeddingBackward, { ids, dy }, { y: count * width }, params);
    table.set(y, first * width);
  }
  expectGolden(golden, "table", table);
}

const operations: [name: string, check: (run: Run, golden: OperatorCase) => Promise<void>][] = [
  ["layer_norm", layerNorm],
  ["rms_norm", rmsNorm],
  ["gelu_erf", activation(kernels.geluBackward)],
  ["gelu_tanh", activation(kernels.geluTanhBackward)],
  ["quick_gelu", activation(kernels.quickGeluBackward)],
  ["silu", activation(kernels.siluBackward)],
  ["softmax", softmax],
  ["swiglu_mlp", swiglu],
  ["rotary_embedding", rotary],
  ["embedding", embedding],
];
const goldens = await Promise.all(operations.map(async ([name, check]) => ({ name, check, cases: await operatorCases(name) })));

for (const found of await testAdapters()) {
  const gpu = await Gpu.open(found);
  afterAll(() => gpu.dispose());

  describe(`gradients of PyTorch on ${found.name}`, () => {
    for (const { name, check, cases } of goldens) {
      for (const golden of cases) it(`${name} ${golden.name}`, () => check(runner(gpu), golden));
    }
  });
}
