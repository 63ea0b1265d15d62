/**
 * The vision towers: CLIP (Radford et al. 2021) and SigLIP (Zhai et al. 2023), as Hugging Face's `CLIPVisionModel` and
 * `SiglipVisionModel` compute them up to the hidden state that LLaVA takes. The tower's final norm is never applied.
 */
import type { Tensor } from "../graph/tensor.ts";
import { layerNormLayer, linearLayer, mlp, stackedLinear } from "../nn/layers.ts";
import type { Scope } from "../nn/scope.ts";
import { add, attention, attentionWeights, linear, patchTokens, unfold } from "../ops/index.ts";
import type { VisionConfig } from "./config.ts";

/** Tokens of a picture: one per whole patch, and CLIP's class token in front. */
export function visionTokens({ kind, imageSize, patchSize }: VisionConfig): { patches: number; prefix: number } {
  return { patches: Math.floor(imageSize / patchSize) ** 2, prefix: kind === "clip" ? 1 : 0 };
}

/**
 * pixels [B, C, S, S] -> hidden states, each [B, T, D]: entry 0 after the embeddings, entry i + 1 after layer i.
 */
export function visionTower(scope: Scope, config: VisionConfig): (pixels: Tensor) => Tensor[] {
  const { kind, width, channels, patchSize, epsilon } = config;
  const { patches, prefix } = visionTokens(config);
  const embeddings = scope.at("embeddings");
  const patchWeight = embeddings.matrix("patch.weight", [width, channels * patchSize ** 2], [width, channels, patchSize, patchSize]);
  const patchBias = kind === "siglip" ? embeddings.vector("patch.bias", [width]) : undefined;
  const classToken = kind === "clip" ? embeddings.vector("class", [width]) : undefined;
  const position = embeddings.vector("position", [prefix + patches, width]);
  const preNorm = kind === "clip" ? layerNormLayer(scope.at("preNorm"), width, epsilon) : (x: Tensor) => x;
  const blocks = Array.from({ length: config.layers }, (_, i) => visionBlock(scope.at(`layers.${i}`), config));

  return (pixels) => {
    const batch = pixels.shape[0]!;
    const embedded = pixels.graph.within(embeddings.path, () => {
      const rows = linear(unfold(pixels, patchSize), patchWeight, patchBias); // [B·n, D]
      return embeddings.name(preNorm(patchTokens(rows, batch, position, classToken))); // [B, T, D]
    });
    const states = [embedded];
    for (const block of blocks) states.push(block(states.at(-1)!));
    return states;
  };
}

/** x + attention(norm1 x), then x + mlp(norm2 x): [B, T, D] -> [B, T, D]. */
function visionBlock(scope: Scope, config: VisionConfig): (x: Tensor) => Tensor {
  const { width, epsilon } = config;
  const norm1 = layerNormLayer(scope.at("norm1"), width, epsilon);
  const attend = visionAttention(scope.at("attention"), config);
  const norm2 = layerNormLayer(scope.at("norm2"), width, epsilon);
  const perceive = mlp(scope.at("mlp"), width, config.mlpWidth, config.activation);
  return (x) =>
    x.graph.within(scope.path, () => {
      const attended = add(x, attend(norm1(x)));
      return scope.name(add(attended, perceive(norm2(attended))));
    });
}

/** Full self-attention with biases on all four projections: [B, T, D] -> [B, T, D]. */
function visionAttention(scope: Scope, { width, heads }: VisionConfig): (x: Tensor) => Tensor {
  const parts = ["query", "key", "value"].map((path) => ({ path, rows: width }));
  const project = stackedLinear(scope, "queryKeyValue", width, parts, true);
  const output = linearLayer(scope.at("output"), width, width);
  return (x) => {
    const [batch, tokens] = x.shape as [number, number, number];
    const of = project(x); // [B, T, 3D]
    const [q, k, v] = [{ of, offset: 0 }, { of, offset: width }, { of, offset: 2 * width }] as const;
    const options = { heads, keyValueHeads: heads, headSize: width / heads, batch, queries: tokens, keys: tokens, causal: false };
    scope.name(attentionWeights(q, k, options), "probabilities");
    return scope.name(output(attention(q, k, v, options))); // [B, T, D]
  };
}
