/** A tiny LLaVA with random weights, as a folder in Hugging Face's layout. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Random } from "llava-webgpu/train";
import { createFile, type TensorToWrite, writeSafetensors } from "llava-webgpu/weights";
import { SIZE } from "./pictures.ts";

const source = fileURLToPath(new URL("../../models/emoji-llava/", import.meta.url));
const PATCH = 8;
const vision = { width: 64, layers: 3, heads: 2, inner: 128 };
const text = { width: 64, layers: 2, heads: 2, inner: 160 };

/** Writes configuration, tokenizer (the default model's) and weights. */
export async function writeModel(folder: string, seed: number): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const read = (file: string) => JSON.parse(readFileSync(join(source, file), "utf8"));
  const write = (file: string, value: unknown) => writeFileSync(join(folder, file), `${JSON.stringify(value, null, 2)}\n`);
  for (const file of ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json", "chat_template.jinja"]) {
    copyFileSync(join(source, file), join(folder, file));
  }
  const config = read("config.json");
  const rows = (SIZE / PATCH) ** 2;
  write("config.json", {
    ...config,
    dtype: "float32",
    image_seq_length: rows,
    text_config: {
      ...config.text_config,
      dtype: "float32",
      hidden_size: text.width,
      intermediate_size: text.inner,
      num_hidden_layers: text.layers,
      num_attention_heads: text.heads,
      num_key_value_heads: text.heads,
      head_dim: text.width / text.heads,
      max_position_embeddings: 256,
    },
    vision_config: {
      ...config.vision_config,
      dtype: "float32",
      hidden_size: vision.width,
      intermediate_size: vision.inner,
      num_hidden_layers: vision.layers,
      num_attention_heads: vision.heads,
      projection_dim: vision.width,
      image_size: SIZE,
      patch_size: PATCH,
    },
  });
  const sizes = { size: { shortest_edge: SIZE }, crop_size: { height: SIZE, width: SIZE } };
  write("preprocessor_config.json", { ...read("preprocessor_config.json"), ...sizes });
  const processor = read("processor_config.json");
  write("processor_config.json", { ...processor, patch_size: PATCH, image_processor: { ...processor.image_processor, ...sizes } });
  const tensors = weights(config.text_config.vocab_size, rows, new Random(seed));
  await writeSafetensors(await createFile(join(folder, "model.safetensors")), tensors, { format: "pt" });
}

/** All tensors by Hugging Face's names: matrices of deviation 1 / √inputs, biases 0, norms 1. */
function weights(vocabulary: number, patches: number, random: Random): TensorToWrite[] {
  const tensors: TensorToWrite[] = [];
  const add = (name: string, shape: number[], values: Float32Array) =>
    tensors.push({ name, dtype: "F32", shape, data: new Uint8Array(values.buffer) });
  const matrix = (name: string, shape: number[], deviation = 1 / Math.sqrt(shape.slice(1).reduce((a, b) => a * b, 1))) =>
    add(name, shape, random.normal(shape.reduce((a, b) => a * b, 1), 0, deviation));
  const constant = (name: string, size: number, value: number) => add(name, [size], new Float32Array(size).fill(value));
  const norm = (name: string, width: number) => {
    constant(`${name}.weight`, width, 1);
    constant(`${name}.bias`, width, 0);
  };
  const linear = (name: string, outputs: number, inputs: number) => {
    matrix(`${name}.weight`, [outputs, inputs]);
    constant(`${name}.bias`, outputs, 0);
  };

  const tower = "model.vision_tower.vision_model";
  const { width, inner } = vision;
  constant(`${tower}.embeddings.class_embedding`, width, 0);
  matrix(`${tower}.embeddings.patch_embedding.weight`, [width, 3, PATCH, PATCH]);
  matrix(`${tower}.embeddings.position_embedding.weight`, [patches + 1, width], 0.3);
  norm(`${tower}.pre_layrnorm`, width);
  norm(`${tower}.post_layernorm`, width);
  for (let i = 0; i < vision.layers; i++) {
    const layer = `${tower}.encoder.layers.${i}`;
    norm(`${layer}.layer_norm1`, width);
    norm(`${layer}.layer_norm2`, width);
    for (const part of ["q_proj", "k_proj", "v_proj", "out_proj"]) linear(`${layer}.self_attn.${part}`, width, width);
    linear(`${layer}.mlp.fc1`, inner, width);
    linear(`${layer}.mlp.fc2`, width, inner);
  }
  linear("model.multi_modal_projector.linear_1", text.width, width);
  linear("model.multi_modal_projector.linear_2", text.width, text.width);
  matrix("model.language_model.embed_tokens.weight", [vocabulary, text.width], 1);
  for (let i = 0; i < text.layers; i++) {
    const layer = `model.language_model.layers.${i}`;
    constant(`${layer}.input_layernorm.weight`, text.width, 1);
    constant(`${layer}.post_attention_layernorm.weight`, text.width, 1);
    for (const part of ["q_proj", "k_proj", "v_proj", "o_proj"]) matrix(`${layer}.self_attn.${part}.weight`, [text.width, text.width]);
    matrix(`${layer}.mlp.gate_proj.weight`, [text.inner, text.width]);
    matrix(`${layer}.mlp.up_proj.weight`, [text.inner, text.width]);
    matrix(`${layer}.mlp.down_proj.weight`, [text.width, text.inner]);
  }
  constant("model.language_model.norm.weight", text.width, 1);
  matrix("lm_head.weight", [vocabulary, text.width], 0.5 / Math.sqrt(text.width));
  return tensors;
}
