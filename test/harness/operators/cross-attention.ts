/** Flamingo's gated cross-attention, traced from our layer. */
import { gatedCrossAttention, type MediaView, sortByMedia, type TableValues } from "../../../src/nn/cross-attention.ts";
import { Scope } from "../../../src/nn/scope.ts";
import type { OperatorCase } from "../operator-goldens.ts";
import type { Sketch } from "../sketch.ts";
import { input, type Trace } from "./traced.ts";

/** The golden's names of the layer's weights. */
const names: Readonly<Record<string, string>> = {
  "norm1.weight": "norm_w",
  "norm1.bias": "norm_b",
  "attention.query.weight": "q_w",
  "attention.keyValue.weight": "kv_w",
  "attention.output.weight": "out_w",
  attentionGate: "attn_gate",
  "norm2.weight": "ff_norm_w",
  "norm2.bias": "ff_norm_b",
  "mlp.up.weight": "ff_1",
  "mlp.down.weight": "ff_2",
  mlpGate: "ff_gate",
};

/** The inputs of a graph for tokens that see one of several media each. */
export function mediaView(sketch: Sketch, seen: readonly number[], media: number, rows?: number): MediaView {
  const sorted = sortByMedia(seen, media, rows);
  const mix = (name: string, { index, weight }: TableValues) => ({
    index: sketch.constant(`${name} index`, [index.length, 1], index),
    weight: sketch.constant(`${name} weight`, [weight.length, 1], weight),
  });
  return { media, rows: sorted.rows, sort: mix("sort", sorted.sort), unsort: mix("unsort", sorted.unsort) };
}

/** The view of tokens that see equal spans of one sequence's media, from the masks of the golden. */
function goldenView(sketch: Sketch, golden: OperatorCase): MediaView {
  const [, tokens, keys] = golden.shape("visible") as [number, number, number];
  const [visible, hasMedia] = [golden.integers("visible"), golden.integers("has_media")];
  const span = visible.subarray((tokens - 1) * keys).reduce((sum, one) => sum + one, 0);
  const seen = Array.from(hasMedia, (has, token) => (has ? visible.subarray(token * keys, (token + 1) * keys).indexOf(1) / span : -1));
  return mediaView(sketch, seen, keys / span);
}

export const crossAttention: Trace = async (sketch, golden) => {
  const [x, media] = [input(sketch, golden, "x"), input(sketch, golden, "media")];
  const heads = golden.attributes.heads!;
  const scope = new Scope("");
  const layer = gatedCrossAttention(scope, {
    width: x.width,
    mediaWidth: media.width,
    heads,
    headSize: golden.shape("q_w")[0]! / heads,
    mlpWidth: golden.shape("ff_1")[0]!,
    epsilon: 1e-5,
  });
  for (const [path, parameter] of scope.parameters) await sketch.load(names[path]!, parameter, golden.floats(`input.${names[path]}`));
  return { y: layer(x, media, golden.shape("visible") ? goldenView(sketch, golden) : undefined) };
};
