/**
 * The output and every gradient of single operations, traced from our ops and differentiated by `gradients`, equal
 * PyTorch's.
 *
 * A mask of padded keys exists nowhere: batches are padded on the right, where the causal mask hides the padding. The
 * masked cases of attention are therefore traced twice: whole, where that suffices, and one sequence at a time on its real
 * rows, which also gives what a mask on the left or without causality would. Gated cross-attention sorts its tokens by what
 * they see instead.
 */
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { Gpu } from "../../src/gpu/gpu.ts";
import { testAdapters } from "../harness/adapters.ts";
import { goldenPath } from "../harness/golden.ts";
import { expectGolden, operatorCases } from "../harness/operator-goldens.ts";
import { attention, attentionBySequence, rotary } from "../harness/operators/attention.ts";
import { crossAttention } from "../harness/operators/cross-attention.ts";
import * as layers from "../harness/operators/layers.ts";
import * as rows from "../harness/operators/rows.ts";
import type { Trace } from "../harness/operators/traced.ts";
import { Sketch } from "../harness/sketch.ts";

const operations: readonly (readonly [operation: string, trace: Trace, note?: string])[] = [
  ["linear", layers.linear(1)],
  ["linear", layers.linear(2), "weight in two buffers"],
  ["embedding", layers.embedding(1)],
  ["embedding", layers.embedding(2), "weight in two buffers"],
  ["layer_norm", layers.layerNorm],
  ["rms_norm", layers.rmsNorm],
  ["gelu_erf", layers.activation("gelu")],
  ["gelu_tanh", layers.activation("gelu-tanh")],
  ["quick_gelu", layers.activation("quick-gelu")],
  ["silu", layers.activation("silu")],
  ["mlp", layers.mlp],
  ["swiglu_mlp", layers.swiglu],
  ["softmax", layers.softmax],
  ["rotary_embedding", rotary],
  ["attention_causal", attention(true)],
  ["attention_full", attention(false)],
  ["attention_padding_mask", attentionBySequence, "by sequence"],
  ["gated_cross_attention", crossAttention],
  ["patch_embedding", layers.patchEmbedding],
  ["cross_entropy", layers.crossEntropy],
  ["linear_cross_entropy", layers.linearCrossEntropy(1)],
  ["linear_cross_entropy", layers.linearCrossEntropy(2), "weight in two buffers"],
  ["bilinear_resize", rows.bilinear],
  ["average_pool", rows.averagePool],
  ["merge_image_rows", rows.mergeImageRows],
  ["pack_anyres", rows.packAnyres],
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

it("covers every operation of the goldens", () => {
  const stored = JSON.parse(readFileSync(goldenPath("training/operators/operators.json"), "utf8")) as object;
  const covered = new Set(operations.map(([operation]) => operation));
  expect(Object.keys(stored).filter((operation) => !covered.has(operation))).toEqual([]);
});

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
