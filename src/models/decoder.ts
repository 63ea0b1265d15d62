/**
 * The language models of the family: LLaMA (Touvron et al. 2023), Mistral (grouped heads, sliding window) and Qwen2 (biases on
 * query, key and value), as Hugging Face's `LlamaModel`, `MistralModel` and `Qwen2Model` compute them.
 */
import type { Parameter, Resident, Scalar, Tensor } from "../graph/tensor.ts";
import { gatedMlp, linearLayer, rmsNormLayer, stackedLinear } from "../nn/layers.ts";
import type { Scope } from "../nn/scope.ts";
import { add, attention, attentionWeights, embedding, type HeadSlice, linear, rotary, writeRows } from "../ops/index.ts";
import type { TextConfig } from "./config.ts";

/** Keys and values of all tokens so far, per layer [capacity, key/value heads · head size]. */
export interface KeyValueCache {
  readonly keys: readonly Resident[];
  readonly values: readonly Resident[];
}

/** Where the rows that are decoded stand. */
export interface DecodeContext {
  /** Rotary table [positions, head size]. */
  readonly table: Resident;
  /** Independent sequences of equal length in the rows. */
  readonly batch?: number;
  /** With a cache, the rows continue what it holds; without, they are whole sequences. */
  readonly cache?: KeyValueCache;
  /** Number of cached tokens, which is the position of the first row. Needed with a cache. */
  readonly position?: Scalar;
}

export interface Decoder {
  /** ids [n] -> token embeddings [n, D]. */
  embed(ids: Tensor): Tensor;
  /** Embeddings [n, D] -> normed hidden states [n, D]. */
  decode(x: Tensor, context: DecodeContext): Tensor;
  /** Hidden states [n, D] -> logits [n, V]. */
  head(x: Tensor): Tensor;
  /** The matrix of the head, [V, D]. */
  readonly headWeight: Parameter;
}

/** A decoder. Its head shares the embedding matrix if the checkpoint ties them. */
export function decoder(scope: Scope, config: TextConfig): Decoder {
  const { width, vocabulary, epsilon } = config;
  const table = scope.matrix("embedding.weight", [vocabulary, width]);
  const blocks = Array.from({ length: config.layers }, (_, i) => decoderBlock(scope.at(`layers.${i}`), config));
  const norm = rmsNormLayer(scope.at("norm"), width, epsilon);
  const head: Parameter = config.tied ? table : scope.matrix("head.weight", [vocabulary, width]);

  return {
    embed: (ids) => embedding(ids, table),
    decode: (x, context) => {
      for (const block of blocks) x = block(x, context);
      return scope.at("norm").name(norm(x));
    },
    head: (x) => x.graph.within(scope.path, () => linear(x, head)),
    headWeight: head,
  };
}

type DecoderBlock = (x: Tensor, context: DecodeContext) => Tensor;

/** x + attention(norm1 x), then x + mlp(norm2 x): [n, D] -> [n, D]. */
function decoderBlock(scope: Scope, config: TextConfig): DecoderBlock {
  const { width, epsilon } = config;
  const norm1 = rmsNormLayer(scope.at("norm1"), width, epsilon);
  const attend = decoderAttention(scope.at("attention"), config);
  const norm2 = rmsNormLayer(scope.at("norm2"), width, epsilon);
  const perceive = gatedMlp(scope.at("mlp"), width, config.mlpWidth, config.activation, config.mlpBias);
  return (x, context) =>
    x.graph.within(scope.path, () => {
      const attended = add(x, attend(norm1(x), context));
      return scope.name(add(attended, perceive(norm2(attended))));
    });
}

/** Causal self-attention with rotary positions, grouped key/value heads and, for Mistral, a sliding window. */
function decoderAttention(scope: Scope, config: TextConfig): DecoderBlock {
  const { width, heads, keyValueHeads, headSize } = config;
  const queryWidth = heads * headSize;
  const keyWidth = keyValueHeads * headSize;
  const parts = [{ path: "query", rows: queryWidth }, { path: "key", rows: keyWidth }, { path: "value", rows: keyWidth }];
  const project = stackedLinear(scope, "queryKeyValue", width, parts, config.queryKeyValueBias);
  const output = linearLayer(scope.at("output"), queryWidth, width, config.outputBias);

  /** The layer's number, which picks its cache. */
  const layer = Number(/layers\.(\d+)/.exec(scope.path)![1]);

  return (x, { table, batch = 1, cache, position }) => {
    const of = project(x); // [n, (H + 2K)·h]
    const queries = x.rows / batch;
    const shape = { heads, keyValueHeads, headSize, queries, causal: true, window: config.slidingWindow };
    const turn = { headSize, position: position ?? 0, sequence: queries };
    const q = { of: rotary({ of, offset: 0 }, table, { ...turn, heads }), offset: 0 };
    const value = { of, offset: queryWidth + keyWidth };

    if (cache && position) {
      const keys = cache.keys[layer]!;
      const values = cache.values[layer]!;
      rotary({ of, offset: queryWidth }, table, { ...turn, heads: keyValueHeads }, keys);
      writeRows(x.graph, of, values, { rows: x.rows, width: keyWidth, fromColumn: value.offset, toRow: position });
      const mixed = attention(q, whole(keys), whole(values), { ...shape, keys: position.plus(queries), position });
      return scope.name(output(mixed));
    }
    const k = { of: rotary({ of, offset: queryWidth }, table, { ...turn, heads: keyValueHeads }), offset: 0 };
    const options = { ...shape, keys: queries, ...(batch > 1 ? { batch } : {}) };
    scope.name(attentionWeights(q, k, options), "probabilities");
    return scope.name(output(attention(q, k, value, options)));
  };
}

function whole(of: Resident): HeadSlice {
  return { of, offset: 0 };
}
