/**
 * How checkpoints name their tensors, as data: rename rules from the names in files to ours.
 *
 * The layouts differ in what stands in front of a part (Hugging Face up to 4.51, from 4.52, as saved by 5; the original
 * LLaVA repositories; a language model or a vision tower alone), hardly in the part's own name. So the fronts are
 * optional groups, and one table serves all layouts.
 */

/** What may stand in front of a part of the vision tower, of the decoder, of the projector. */
const vision = String.raw`(?:model\.)?(?:vision_tower\.){0,2}(?:vision_model\.)?`;
const language = String.raw`(?:model\.)?(?:language_model\.)?(?:model\.)?`;
const projector = String.raw`(?:model\.)?multi_modal_projector\.`;
const originalProjector = String.raw`(?:.+\.)?mm_projector\.`;

/** A layer's number, and the last part of a name. */
const i = String.raw`(\d+)`;
const both = "(weight|bias)";

/** Mixtral's mixture of experts, in place of the MLP. */
const mixture = `${language}layers\\.${i}\\.block_sparse_moe\\.`;

/** Largest N of the original repositories' `mlpNx_gelu` projectors that the rules know. */
const projectorDepth = 8;

/** A pattern for the whole name, and our name, in which $1 and $2 stand for the pattern's groups; null: not needed. */
export type NameRule = readonly [pattern: string, canonical: string | null];

/** The first rule that fits decides. */
export const nameRules: readonly NameRule[] = [
  // Tables that are computed, and the rest of a whole CLIP or SigLIP around the vision tower.
  [String.raw`(?:.+\.)?rotary_emb\.inv_freq`, null],
  [String.raw`(?:.+\.)?embeddings\.position_ids`, null],
  [String.raw`text_model\..+`, null],
  [String.raw`(?:text|visual)_projection\.weight`, null],
  ["logit_(?:scale|bias)", null],

  // SigLIP's pooling head follows the last layer, which LLaVA never reads.
  [String.raw`(?:model\.)?(?:vision_tower\.|vision_model\.)+head\..+`, null],
  [`${vision}embeddings\\.class_embedding`, "vision.embeddings.class"],
  [`${vision}embeddings\\.patch_embedding\\.${both}`, "vision.embeddings.patch.$1"],
  [`${vision}embeddings\\.position_embedding\\.weight`, "vision.embeddings.position"],
  [`${vision}pre_layrnorm\\.${both}`, "vision.preNorm.$1"], // CLIP's own spelling
  [`${vision}post_layernorm\\.${both}`, "vision.postNorm.$1"],
  [`${vision}encoder\\.layers\\.${i}\\.layer_norm1\\.${both}`, "vision.layers.$1.norm1.$2"],
  [`${vision}encoder\\.layers\\.${i}\\.layer_norm2\\.${both}`, "vision.layers.$1.norm2.$2"],
  [`${vision}encoder\\.layers\\.${i}\\.self_attn\\.q_proj\\.${both}`, "vision.layers.$1.attention.query.$2"],
  [`${vision}encoder\\.layers\\.${i}\\.self_attn\\.k_proj\\.${both}`, "vision.layers.$1.attention.key.$2"],
  [`${vision}encoder\\.layers\\.${i}\\.self_attn\\.v_proj\\.${both}`, "vision.layers.$1.attention.value.$2"],
  [`${vision}encoder\\.layers\\.${i}\\.self_attn\\.out_proj\\.${both}`, "vision.layers.$1.attention.output.$2"],
  [`${vision}encoder\\.layers\\.${i}\\.mlp\\.fc1\\.${both}`, "vision.layers.$1.mlp.up.$2"],
  [`${vision}encoder\\.layers\\.${i}\\.mlp\\.fc2\\.${both}`, "vision.layers.$1.mlp.down.$2"],

  [`${projector}projector_layernorm\\.${both}`, "projector.norm.$1"],
  [`${projector}linear_${i}\\.${both}`, "projector.linear$1.$2"],
  [`${originalProjector}${both}`, "projector.linear1.$1"],
  // nn.Sequential counts the GELUs too: linear layers are 0, 2, 4, ...
  ...Array.from({ length: projectorDepth }, (_, index): NameRule => [
    `${originalProjector}${2 * index}\\.${both}`,
    `projector.linear${index + 1}.$1`,
  ]),
  [String.raw`(?:model\.)?image_newline`, "newline"],

  [`${language}embed_tokens\\.weight`, "language.embedding.weight"],
  [`${language}layers\\.${i}\\.input_layernorm\\.weight`, "language.layers.$1.norm1.weight"],
  [`${language}layers\\.${i}\\.post_attention_layernorm\\.weight`, "language.layers.$1.norm2.weight"],
  [`${language}layers\\.${i}\\.self_attn\\.q_proj\\.${both}`, "language.layers.$1.attention.query.$2"],
  [`${language}layers\\.${i}\\.self_attn\\.k_proj\\.${both}`, "language.layers.$1.attention.key.$2"],
  [`${language}layers\\.${i}\\.self_attn\\.v_proj\\.${both}`, "language.layers.$1.attention.value.$2"],
  [`${language}layers\\.${i}\\.self_attn\\.o_proj\\.${both}`, "language.layers.$1.attention.output.$2"],
  [`${language}layers\\.${i}\\.mlp\\.gate_proj\\.${both}`, "language.layers.$1.mlp.gate.$2"],
  [`${language}layers\\.${i}\\.mlp\\.up_proj\\.${both}`, "language.layers.$1.mlp.up.$2"],
  [`${language}layers\\.${i}\\.mlp\\.down_proj\\.${both}`, "language.layers.$1.mlp.down.$2"],
  // Mixtral: a router chooses among experts; w1, w3 and w2 are an expert's gate, up and down.
  [`${mixture}gate\\.weight`, "language.layers.$1.mlp.router.weight"],
  [`${mixture}experts\\.${i}\\.w1\\.weight`, "language.layers.$1.mlp.experts.$2.gate.weight"],
  [`${mixture}experts\\.${i}\\.w3\\.weight`, "language.layers.$1.mlp.experts.$2.up.weight"],
  [`${mixture}experts\\.${i}\\.w2\\.weight`, "language.layers.$1.mlp.experts.$2.down.weight"],
  [`${language}norm\\.weight`, "language.norm.weight"],
  [String.raw`(?:language_model\.)?lm_head\.weight`, "language.head.weight"],
];

const compiled = nameRules.map(([pattern, canonical]) => [new RegExp(`^${pattern}$`), canonical] as const);

/**
 * Our name of a checkpoint's tensor; null if it is known and not needed. A name that no rule knows comes back as it is,
 * so that a loader can list it as unexpected.
 */
export function canonicalName(foreign: string): string | null {
  for (const [pattern, canonical] of compiled) {
    if (!pattern.test(foreign)) continue;
    return canonical === null ? null : foreign.replace(pattern, canonical);
  }
  return foreign;
}
