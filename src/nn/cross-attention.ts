/**
 * Gated cross-attention: how Flamingo (Alayrac et al. 2022) lets a frozen decoder read pictures that are no tokens of its
 * sequence. In the form of Flamingo's published re-implementations: one norm, for the queries; no biases but those of norms.
 */
import { expectShape, shapeText, type Tensor } from "../graph/tensor.ts";
import { attention, attentionWeights, mixRows, type RowMix, tanhGate } from "../ops/index.ts";
import { layerNormLayer, linearLayer, mlp, stackedLinear } from "./layers.ts";
import type { Scope } from "./scope.ts";

export interface CrossAttentionConfig {
  /** Size D of a token's hidden state. */
  readonly width: number;
  /** Size V of a row of media. */
  readonly mediaWidth: number;
  readonly heads: number;
  readonly headSize: number;
  /** Inner size of the perceptron. */
  readonly mlpWidth: number;
  readonly epsilon: number;
}

/**
 * For tokens that see one of several media each, or none: the tokens sorted by what they see, n rows for each of M media.
 * Both tables have one tap, and each is the other's transpose. See `sortByMedia`.
 */
export interface MediaView {
  readonly media: number;
  /** n, rows for each of the media. */
  readonly rows: number;
  /** Rows of tokens to sorted rows: [M·n, 1]. */
  readonly sort: RowMix;
  /** And back; tokens that see nothing have weight 0: [B·T, 1]. */
  readonly unsort: RowMix;
}

/**
 * x + tanh(α) · attention(norm(x), media), then + tanh(β) · mlp(norm(·)) with α and β learned, 0 at the start.
 *
 * x [B, T, D]; media [B, K, V] -> [B, T, D]. Every token sees all media of its sequence, or what `view` says; then the rows of
 * `media` are those of the M media in order, equally many of each. A token that sees nothing keeps its x in the first sum.
 */
export function gatedCrossAttention(scope: Scope, config: CrossAttentionConfig): (x: Tensor, media: Tensor, view?: MediaView) => Tensor {
  const { width, mlpWidth, epsilon } = config;
  const norm1 = layerNormLayer(scope.at("norm1"), width, epsilon);
  const attend = crossAttention(scope.at("attention"), config);
  const attentionGate = scope.vector("attentionGate", [1]);
  const norm2 = layerNormLayer(scope.at("norm2"), width, epsilon);
  const perceive = mlp(scope.at("mlp"), width, mlpWidth, "gelu", false);
  const mlpGate = scope.vector("mlpGate", [1]);
  return (x, media, view) =>
    x.graph.within(scope.path, () => {
      const attended = tanhGate(x, attend(norm1(x), media, view), attentionGate);
      return scope.name(tanhGate(attended, perceive(norm2(attended)), mlpGate));
    });
}

/** Queries from x [B, T, D], keys and values from media [B, K, V] -> [B, T, D]; 0 for tokens that see nothing. */
function crossAttention(scope: Scope, { width, mediaWidth, heads, headSize }: CrossAttentionConfig) {
  const inner = heads * headSize;
  const query = linearLayer(scope.at("query"), width, inner, false);
  const keyValue = stackedLinear(scope, "keyValue", mediaWidth, ["key", "value"].map((path) => ({ path, rows: inner })), false);
  const output = linearLayer(scope.at("output"), inner, width, false);

  const attend = (q: Tensor, of: Tensor, batch: number): Tensor => {
    const sizes = { heads, keyValueHeads: heads, headSize, batch, queries: q.rows / batch, keys: of.rows / batch, causal: false };
    scope.name(attentionWeights({ of: q, offset: 0 }, { of, offset: 0 }, sizes), "probabilities");
    return attention({ of: q, offset: 0 }, { of, offset: 0 }, { of, offset: inner }, sizes);
  };
  return (x: Tensor, media: Tensor, view?: MediaView): Tensor => {
    const q = query(x); // [B, T, H·h]
    const of = keyValue(media); // [B, K, 2·H·h]
    if (!view) return scope.name(output(attend(q, of, x.shape[0]!)));
    const { sort, unsort } = view;
    expectShape(
      of.rows % view.media === 0 && sort.index.size === view.media * view.rows && unsort.index.size === q.rows,
      () => `gatedCrossAttention: expected equally many rows of ${view.media} media and tables of ${view.media * view.rows} and ${q.rows} rows, got media ${shapeText(media.shape)} and tables ${shapeText(sort.index.shape)} and ${shapeText(unsort.index.shape)}`,
    );
    const sorted = mixRows(q, sort.index, sort.weight, unsort); // [M·n, H·h]
    const mixed = mixRows(attend(sorted, of, view.media), unsort.index, unsort.weight, sort); // [B·T, H·h]
    return scope.name(output(x.graph.view(mixed, q.shape)));
  };
}

/** The values of a `RowMix` of one tap. */
export interface TableValues {
  readonly index: Uint32Array;
  readonly weight: Float32Array;
}

/**
 * The values of a `MediaView`. Rows beyond those of a medium's own tokens have weight 0: their queries are 0, nobody reads
 * what they see, and no gradient comes back from them.
 *
 * @param seen for every token of the batch the medium that it sees, 0 to M - 1, or -1 for none
 * @param media M
 * @param rows n; default: as many as the medium with the most tokens needs
 * @throws ShapeError if a token sees what is none of the media, or n is too small
 */
export function sortByMedia(
  seen: readonly number[],
  media: number,
  rows?: number,
): { readonly rows: number; readonly sort: TableValues; readonly unsort: TableValues } {
  const counts = Array.from({ length: media }, () => 0);
  for (const medium of seen) {
    expectShape(Number.isInteger(medium) && medium >= -1 && medium < media, () => `sortByMedia: expected media from 0 to ${media - 1} or -1 for none, got ${medium}`);
    if (medium >= 0) counts[medium]!++;
  }
  const most = Math.max(1, ...counts);
  const n = rows ?? most;
  expectShape(n >= most, () => `sortByMedia: expected at least ${most} rows for each of the media, got ${n}`);

  const table = (length: number): TableValues => ({ index: new Uint32Array(length), weight: new Float32Array(length) });
  const [sort, unsort] = [table(media * n), table(seen.length)];
  const next = counts.map((_, medium) => medium * n);
  seen.forEach((medium, token) => {
    if (medium < 0) return;
    const row = next[medium]!++;
    [sort.index[row], sort.weight[row]] = [token, 1];
    [unsort.index[token], unsort.weight[token]] = [row, 1];
  });
  return { rows: n, sort, unsort };
}
