/** Linear layers, norms, activations, perceptrons and losses, traced from our ops. */
import type { Parameter, Tensor } from "../../../src/graph/tensor.ts";
import * as ops from "../../../src/ops/index.ts";
import type { OperatorCase } from "../operator-goldens.ts";
import type { Sketch } from "../sketch.ts";
import { input, type Trace, type Traced, weight } from "./traced.ts";

export const linear = (blocks: number): Trace => async (sketch, golden) => {
  const bias = golden.shape("bias") && (await weight(sketch, golden, "bias"));
  return { y: ops.linear(input(sketch, golden, "x"), await weight(sketch, golden, "weight", { blocks }), bias) };
};

export const embedding = (blocks: number): Trace => async (sketch, golden) => {
  const ids = Uint32Array.from(golden.integers("ids"));
  return { y: ops.embedding(sketch.constant("ids", [ids.length], ids), await weight(sketch, golden, "table", { blocks })) };
};

export const layerNorm: Trace = async (sketch, golden) => {
  const [scale, bias] = [await weight(sketch, golden, "weight"), await weight(sketch, golden, "bias")];
  return { y: ops.layerNorm(input(sketch, golden, "x"), scale, bias, golden.attributes.eps!) };
};

export const rmsNorm: Trace = async (sketch, golden) => ({
  y: ops.rmsNorm(input(sketch, golden, "x"), await weight(sketch, golden, "weight"), golden.attributes.eps!),
});

export const activation = (kind: ops.Activation): Trace => (sketch, golden) => ({
  y: ops.activation(input(sketch, golden, "x"), kind),
});

export const softmax: Trace = (sketch, golden) => ({ y: ops.softmax(input(sketch, golden, "x")) });

export const mlp: Trace = async (sketch, golden) => {
  const kind = ({ quick_gelu: "quick-gelu", gelu_tanh: "gelu-tanh", gelu_erf: "gelu" } as const)[golden.name]!;
  const layer = async (x: Tensor, name: string) =>
    ops.linear(x, await weight(sketch, golden, `${name}_weight`), await weight(sketch, golden, `${name}_bias`));
  return { y: await layer(ops.activation(await layer(input(sketch, golden, "x"), "fc1"), kind), "fc2") };
};

/** Gate and up stacked by rows, as the decoder has them. */
export const swiglu: Trace = async (sketch, golden) => {
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

/** A convolution whose stride is its size: patches as rows, times the kernel flattened. */
export const patchEmbedding: Trace = async (sketch, golden) => {
  const [outputs, channels, patch] = golden.shape("weight") as [number, number, number];
  const flat = await weight(sketch, golden, "weight", { shape: [outputs, channels * patch * patch] });
  const bias = golden.shape("bias") && (await weight(sketch, golden, "bias"));
  return { y: ops.linear(ops.unfold(input(sketch, golden, "pixels"), patch), flat, bias) };
};

/** The sum of the rows' losses; every learning position weighs 1 / count. The next token's label for `shifted`. */
function loss(sketch: Sketch, golden: OperatorCase, hidden: Tensor, head: Parameter): Traced {
  const stored = golden.integers("labels");
  const tokens = golden.shape("labels")[1]!;
  const shift = golden.name === "shifted" ? 1 : 0;
  const labels = Uint32Array.from(stored, (_, i) => {
    const label = (i % tokens) + shift < tokens ? stored[i + shift]! : -1;
    return label < 0 ? ops.IGNORED : label;
  });
  const count = golden.attributes.count ?? labels.filter((label) => label !== ops.IGNORED).length;
  const shares = new Float32Array(labels.length).fill(golden.floats("upstream.y")[0]! / count);
  const rows = [labels.length];
  return {
    y: ops.linearCrossEntropy(hidden, head, sketch.constant("labels", rows, labels), sketch.constant("shares", rows, shares)),
    upstream: new Float32Array(labels.length).fill(1),
    results: ({ y, gradients }) => ({ ...gradients, y: [y.reduce((total, row) => total + row, 0)] }),
  };
}

/** The head is the identity, so that hidden states are logits. */
export const crossEntropy: Trace = async (sketch, golden) => {
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

export const linearCrossEntropy = (blocks: number): Trace => async (sketch, golden) => {
  const [batch, tokens, width] = golden.shape("hidden") as [number, number, number];
  const hidden = input(sketch, golden, "hidden", [batch * tokens, width]);
  return loss(sketch, golden, hidden, await weight(sketch, golden, "weight", { blocks }));
};
