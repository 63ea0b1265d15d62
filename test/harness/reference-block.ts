/** The parts of towers and decoders in plain TypeScript, put together from the kernels' CPU references. */
import { activate, activationKinds } from "../../kernels/activation/activation.reference.ts";
import { addReference } from "../../kernels/add/add.reference.ts";
import { attentionReference } from "../../kernels/attention/attention.reference.ts";
import { layerNormReference } from "../../kernels/layer-norm/layer-norm.reference.ts";
import { matmulNTReference } from "../../kernels/matmul/matmul.reference.ts";
import { rmsNormReference } from "../../kernels/rms-norm/rms-norm.reference.ts";
import { rotaryReference } from "../../kernels/rotary/rotary.reference.ts";
import type { Activation } from "../../src/models/config-activation.ts";
import type { TextConfig, VisionConfig } from "../../src/models/config.ts";
import { rotaryTable } from "../../src/models/rope.ts";
import type { Weights } from "./random-weights.ts";

/** What a block gives: the output of its attention and its own, both [rows, width]. */
export interface BlockValues {
  readonly attention: Float32Array;
  readonly block: Float32Array;
}

const kindOf: Record<Activation, number> = {
  "gelu": activationKinds.gelu,
  "gelu-tanh": activationKinds.geluTanh,
  "quick-gelu": activationKinds.quickGelu,
  "silu": activationKinds.silu,
};

/**
 * CLIP's and SigLIP's embeddings: pixels [C, S, S] -> [T, D]. Every patch times the patch weight, behind the class token;
 * plus the positions; CLIP's then normed.
 */
export function visionEmbeddingsReference(pixels: Float32Array, weights: Weights, config: VisionConfig): Float32Array {
  const { width, channels, imageSize, patchSize, epsilon } = config;
  const get = (name: string) => weights.get(`vision.embeddings.${name}`);
  const side = Math.floor(imageSize / patchSize);
  const patches: number[] = [];
  for (let patch = 0; patch < side ** 2; patch++) {
    const corner = Math.floor(patch / side) * patchSize * imageSize + (patch % side) * patchSize;
    for (let c = 0; c < channels; c++) {
      for (let row = 0; row < patchSize; row++) {
        const from = c * imageSize ** 2 + corner + row * imageSize;
        patches.push(...pixels.subarray(from, from + patchSize));
      }
    }
  }
  const embedded = linear(Float32Array.from(patches), weights, "vision.embeddings.patch", side ** 2);
  const x = sum(Float32Array.from([...(get("class") ?? []), ...embedded]), get("position")!);
  const [weight, bias] = [weights.get("vision.preNorm.weight"), weights.get("vision.preNorm.bias")];
  if (!weight || !bias) return x;
  return layerNormReference({ x, weight, bias }, { rows: x.length / width, width, epsilon }).y as Float32Array;
}

/** CLIP's and SigLIP's block on x [T, D]; `path` is that of the block in `weights`. */
export function visionBlockReference(x: Float32Array, weights: Weights, path: string, config: VisionConfig): BlockValues {
  const { width, heads, mlpWidth, epsilon, activation } = config;
  const rows = x.length / width;
  const layer = (name: string, of: Float32Array) => linear(of, weights, `${path}.${name}`, rows);
  const norm = (name: string, of: Float32Array): Float32Array => {
    const [weight, bias] = [weights.get(`${path}.${name}.weight`)!, weights.get(`${path}.${name}.bias`)!];
    return layerNormReference({ x: of, weight, bias }, { rows, width, epsilon }).y as Float32Array;
  };

  const normed = norm("norm1", x);
  const [q, k, v] = ["query", "key", "value"].map((name) => layer(`attention.${name}`, normed));
  const mixed = attend(q, k, v, { heads, keyValueHeads: heads, headSize: width / heads, rows, causal: 0, window: 0 });
  const attention = layer("attention.output", mixed);
  const attended = sum(x, attention);
  const hidden = layer("mlp.up", norm("norm2", attended)); // [T, mlpWidth]
  for (let i = 0; i < rows * mlpWidth; i++) hidden[i] = activate(kindOf[activation], hidden[i]);
  return { attention, block: sum(attended, layer("mlp.down", hidden)) };
}

/** LLaMA's, Mistral's and Qwen2's block on x [n, D], positions 0 to n - 1. */
export function decoderBlockReference(x: Float32Array, weights: Weights, path: string, config: TextConfig): BlockValues {
  const { width, heads, keyValueHeads, headSize, mlpWidth, epsilon, activation, rope, slidingWindow } = config;
  const rows = x.length / width;
  const table = rotaryTable(rope, headSize, rows);
  const layer = (name: string, of: Float32Array) => linear(of, weights, `${path}.${name}`, rows);
  const norm = (name: string, of: Float32Array): Float32Array =>
    rmsNormReference({ x: of, weight: weights.get(`${path}.${name}.weight`)! }, { rows, width, epsilon }).y as Float32Array;
  const turned = (of: Float32Array, count: number): Float32Array => {
    const stride = count * headSize;
    const params = { xStride: stride, xOffset: 0, yStride: stride, yOffset: 0, yRow: 0, position: 0, sequence: rows, inverse: 0 };
    return rotaryReference({ x: of, table }, { rows, heads: count, headSize, ...params }).y as Float32Array;
  };

  const normed = norm("norm1", x);
  const q = turned(layer("attention.query", normed), heads);
  const k = turned(layer("attention.key", normed), keyValueHeads);
  const v = layer("attention.value", normed);
  const mixed = attend(q, k, v, { heads, keyValueHeads, headSize, rows, causal: 1, window: slidingWindow });
  const attention = layer("attention.output", mixed);
  const attended = sum(x, attention);
  const normed2 = norm("norm2", attended);
  const [gate, up] = [layer("mlp.gate", normed2), layer("mlp.up", normed2)]; // [n, mlpWidth]
  for (let i = 0; i < rows * mlpWidth; i++) gate[i] = activate(kindOf[activation], gate[i]) * up[i];
  return { attention, block: sum(attended, layer("mlp.down", gate)) };
}

/** x Wᵀ + b, without b where the checkpoint has none. */
function linear(x: Float32Array, weights: Weights, path: string, rows: number): Float32Array {
  const weight = weights.get(`${path}.weight`)!;
  const bias = weights.get(`${path}.bias`);
  const inner = x.length / rows;
  const columns = weight.length / inner;
  const params = { rows, columns, inner, xStride: inner, yStride: columns, yOffset: 0, biased: bias ? 1 : 0 };
  return matmulNTReference({ x, weight, bias: bias ?? new Float32Array(columns) }, params).y as Float32Array;
}

interface Heads {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly rows: number;
  readonly causal: number;
  readonly window: number;
}

function attend(q: Float32Array, k: Float32Array, v: Float32Array, shape: Heads): Float32Array {
  const { heads, keyValueHeads, headSize, rows, causal, window } = shape;
  const stride = keyValueHeads * headSize;
  return attentionReference(
    { q, k, v },
    {
      batch: 1, queries: rows, keys: rows, heads, kvHeads: keyValueHeads, headSize,
      qStride: heads * headSize, qOffset: 0, kStride: stride, kOffset: 0, vStride: stride, vOffset: 0,
      position: 0, causal, window, scale: 1 / Math.sqrt(headSize),
    },
  ).y as Float32Array;
}

function sum(a: Float32Array, b: Float32Array): Float32Array {
  return addReference({ a, b }, { size: a.length }).y as Float32Array;
}
