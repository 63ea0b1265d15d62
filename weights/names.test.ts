import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { canonicalName } from "./names.ts";

interface Group {
  readonly models: readonly string[];
  readonly names: readonly string[];
}
const golden = new URL("../test/golden/weights/names.json", import.meta.url);
const groups = JSON.parse(readFileSync(golden, "utf8")) as Group[];
const ours = /^(?:newline|(?:vision|projector|language)\..+)$/;
const foreignParts = /_proj|layernorm|layer_norm|embed_tokens|encoder|self_attn|vision_tower|language_model|\$/;
const cases = groups.map(({ models, names }) => [models.join(", "), names] as const);

describe.each(cases)("names of %s", (_, names) => {
  it("are all known", () => {
    const unknown = names.filter((name) => {
      const canonical = canonicalName(name);
      return canonical !== null && (!ours.test(canonical) || foreignParts.test(canonical));
    });
    expect(unknown).toEqual([]);
  });

  it("do not collide", () => {
    const kept = names.map(canonicalName).filter((name) => name !== null);
    expect(new Set(kept).size).toBe(kept.length);
  });

  it("are only left out where nothing reads them", () => {
    const ignored = names.filter((name) => canonicalName(name) === null);
    const needless = /^text_|_projection|logit_|position_ids|inv_freq|vision_model\.head/;
    expect(ignored).toEqual(names.filter((name) => needless.test(name)));
  });
});

describe("canonicalName", () => {
  it("gives one name to the same tensor in every layout", () => {
    const of = (model: string): string[] => {
      const group = groups.find(({ models }) => models.includes(model))!;
      return group.names.map(canonicalName).filter((name) => name !== null).sort();
    };
    const expected = of("llava-clip-llama");
    expect(of("llava-clip-llama-names-4.52-float16")).toEqual(expected);
    expect(of("llava-clip-llama-transformers-5")).toEqual(expected);
    // The original layout keeps the tower in a folder of its own.
    expect([...of("llava-original-mlp"), ...of("clip-tower")].sort()).toEqual(expected);
    expect(of("llava-original-next")).toEqual(of("llava-next-llama"));
  });

  const tower = "vision.layers.11.attention.query.weight";
  it.each([
    ["model.vision_tower.vision_tower.vision_model.encoder.layers.11.self_attn.q_proj.weight", tower],
    ["vision_tower.vision_model.encoder.layers.11.self_attn.q_proj.weight", tower],
    ["model.vision_tower.vision_model.encoder.layers.11.self_attn.q_proj.weight", tower],
    ["model.vision_tower.encoder.layers.11.self_attn.q_proj.weight", tower],
    ["vision_tower.encoder.layers.11.self_attn.q_proj.weight", tower],
    ["vision_model.encoder.layers.11.self_attn.q_proj.weight", tower],
    ["vision_model.encoder.layers.2.self_attn.out_proj.bias", "vision.layers.2.attention.output.bias"],
    ["vision_model.encoder.layers.2.mlp.fc1.bias", "vision.layers.2.mlp.up.bias"],
    ["vision_model.encoder.layers.2.mlp.fc2.weight", "vision.layers.2.mlp.down.weight"],
    ["vision_model.embeddings.class_embedding", "vision.embeddings.class"],
    ["vision_model.embeddings.patch_embedding.bias", "vision.embeddings.patch.bias"],
    ["vision_model.embeddings.position_embedding.weight", "vision.embeddings.position"],
    ["vision_model.pre_layrnorm.bias", "vision.preNorm.bias"],
    ["vision_model.post_layernorm.weight", "vision.postNorm.weight"],
    ["language_model.model.layers.3.self_attn.o_proj.weight", "language.layers.3.attention.output.weight"],
    ["model.language_model.layers.3.self_attn.k_proj.bias", "language.layers.3.attention.key.bias"],
    ["model.layers.3.input_layernorm.weight", "language.layers.3.norm1.weight"],
    ["model.layers.3.post_attention_layernorm.weight", "language.layers.3.norm2.weight"],
    ["model.layers.3.mlp.gate_proj.weight", "language.layers.3.mlp.gate.weight"],
    ["model.norm.weight", "language.norm.weight"],
    ["lm_head.weight", "language.head.weight"],
    ["language_model.lm_head.weight", "language.head.weight"],
    ["multi_modal_projector.projector_layernorm.weight", "projector.norm.weight"],
    ["model.multi_modal_projector.linear_2.bias", "projector.linear2.bias"],
    ["model.mm_projector.weight", "projector.linear1.weight"],
    ["model.mm_projector.0.bias", "projector.linear1.bias"],
    ["model.mm_projector.2.bias", "projector.linear2.bias"],
    ["model.mm_projector.4.bias", "projector.linear3.bias"],
    ["mm_projector.0.weight", "projector.linear1.weight"],
    ["base_model.model.model.mm_projector.0.weight", "projector.linear1.weight"],
    ["image_newline", "newline"],
    ["model.image_newline", "newline"],
    ["model.layers.0.block_sparse_moe.experts.3.w2.weight", "language.layers.0.mlp.experts.3.down.weight"],
    ["model.layers.0.self_attn.rotary_emb.inv_freq", null],
    ["vision_tower.vision_model.embeddings.position_ids", null],
    ["vision_tower.vision_model.head.probe", null],
    ["text_model.encoder.layers.0.mlp.fc1.weight", null],
  ])("%s -> %s", (foreign, expected) => {
    expect(canonicalName(foreign)).toBe(expected);
  });

  it.each([
    "qformer.layernorm.weight",
    "model.mm_projector.1.weight",
    "head.weight",
    "model.layers.x.input_layernorm.weight",
    "model.layers.0.input_layernorm.weight.extra",
    "",
  ])("leaves %j as it is", (name) => {
    expect(canonicalName(name)).toBe(name);
  });
});
