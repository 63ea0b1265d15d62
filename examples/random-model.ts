/** A LLaVA of any size with random weights, as a folder in Hugging Face's layout. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Random } from "llava-webgpu/train";
import { createFile, type TensorToWrite, writeSafetensors } from "llava-webgpu/weights";
import { imageProcessorConfig, modelConfig, type ModelSizes, patchesOf, processorClass, processorConfig, type Vocabulary } from "./model-config.ts";

export type { ModelSizes } from "./model-config.ts";

/**
 * How weights begin. Norms are 1, biases and the class token 0, and every matrix is normal with deviation
 * 1 / sqrt(inputs), which keeps the size of what goes through it, except for these.
 */
export interface Initialisation {
  /**
   * Whether the matrices that add to the residual stream (the outputs of attention and MLP) are smaller by
   * sqrt(2 layers), so that the stream does not grow with depth (Radford et al. 2019, GPT-2, section 2.3).
   */
  readonly scaledResiduals: boolean;
  /** Deviation of the token embeddings and of the newline row. */
  readonly embedding: number;
  /** Deviation of the tower's position embeddings. */
  readonly position: number;
  /** Deviation of the logits of hidden states of size 1; small: all tokens begin about equally likely. */
  readonly logits: number;
}

export interface RandomModelOptions {
  readonly sizes: ModelSizes;
  readonly initialisation: Initialisation;
  /** The same seed and sizes give the same weights everywhere. */
  readonly seed: number;
  /** A folder with the tokenizer's files, which are copied; it decides the size of the vocabulary. */
  readonly tokenizer: string;
}

/** Writes configuration, tokenizer and weights in f32 to a folder, which is made if it is not there. */
export async function writeRandomModel(folder: string, { sizes, initialisation, seed, tokenizer }: RandomModelOptions): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const read = (file: string) => JSON.parse(readFileSync(join(tokenizer, file), "utf8"));
  const write = (file: string, value: object) => writeFileSync(join(folder, file), `${JSON.stringify(value, null, 2)}\n`);
  for (const file of ["tokenizer.json", "special_tokens_map.json", "generation_config.json", "chat_template.jinja"]) {
    copyFileSync(join(tokenizer, file), join(folder, file));
  }
  const processor_class = processorClass(sizes);
  const vocabulary = vocabularyOf(read("tokenizer.json"));
  write("tokenizer_config.json", { ...read("tokenizer_config.json"), model_max_length: sizes.text.positions, processor_class });
  write("config.json", modelConfig(sizes, vocabulary));
  write("preprocessor_config.json", { ...imageProcessorConfig(sizes), processor_class });
  write("processor_config.json", processorConfig(sizes));
  const tensors = randomWeights(sizes, vocabulary.size, initialisation, new Random(seed));
  await writeSafetensors(await createFile(join(folder, "model.safetensors")), tensors, { format: "pt" });
}

/** Size and special tokens of a tokenizer.json whose added tokens have the highest ids. */
function vocabularyOf({ added_tokens: added }: { added_tokens: { id: number; content: string }[] }): Vocabulary {
  const id = (token: string): number => {
    const found = added.find(({ content }) => content === token);
    if (!found) throw new Error(`tokenizer.json: expected ${token} among the added tokens, got none; train the tokenizer with it`);
    return found.id;
  };
  return { size: 1 + Math.max(...added.map((token) => token.id)), image: id("<image>"), pad: id("<pad>") };
}

/** All tensors by Hugging Face's names. */
export function randomWeights(sizes: ModelSizes, vocabulary: number, initialisation: Initialisation, random: Random): TensorToWrite[] {
  const { vision, text, anyRes } = sizes;
  const tensors: TensorToWrite[] = [];
  const add = (name: string, shape: number[], values: Float32Array) =>
    tensors.push({ name, dtype: "F32", shape, data: new Uint8Array(values.buffer) });
  const constant = (name: string, size: number, value: number) => add(name, [size], new Float32Array(size).fill(value));
  const normal = (name: string, shape: number[], deviation: number) => add(name, shape, random.normal(product(shape), 0, deviation));
  /** [outputs, ...inputs]; `factor` times the usual deviation. */
  const matrix = (name: string, shape: number[], factor = 1) => normal(name, shape, factor / Math.sqrt(product(shape.slice(1))));
  const linear = (name: string, outputs: number, inputs: number, factor = 1) => {
    matrix(`${name}.weight`, [outputs, inputs], factor);
    constant(`${name}.bias`, outputs, 0);
  };
  const layerNorm = (name: string, width: number) => {
    constant(`${name}.weight`, width, 1);
    constant(`${name}.bias`, width, 0);
  };
  const residual = (layers: number) => (initialisation.scaledResiduals ? 1 / Math.sqrt(2 * layers) : 1);

  const tower = "model.vision_tower.vision_model";
  constant(`${tower}.embeddings.class_embedding`, vision.width, 0);
  matrix(`${tower}.embeddings.patch_embedding.weight`, [vision.width, 3, vision.patch, vision.patch]);
  normal(`${tower}.embeddings.position_embedding.weight`, [patchesOf(vision) + 1, vision.width], initialisation.position);
  layerNorm(`${tower}.pre_layrnorm`, vision.width);
  layerNorm(`${tower}.post_layernorm`, vision.width);
  for (let i = 0; i < vision.layers; i++) {
    const layer = `${tower}.encoder.layers.${i}`;
    layerNorm(`${layer}.layer_norm1`, vision.width);
    layerNorm(`${layer}.layer_norm2`, vision.width);
    for (const part of ["q_proj", "k_proj", "v_proj"]) linear(`${layer}.self_attn.${part}`, vision.width, vision.width);
    linear(`${layer}.self_attn.out_proj`, vision.width, vision.width, residual(vision.layers));
    linear(`${layer}.mlp.fc1`, vision.inner, vision.width);
    linear(`${layer}.mlp.fc2`, vision.width, vision.inner, residual(vision.layers));
  }

  linear("model.multi_modal_projector.linear_1", text.width, vision.width);
  linear("model.multi_modal_projector.linear_2", text.width, text.width);
  if (anyRes) normal("model.image_newline", [text.width], initialisation.embedding);

  const keyValueWidth = (text.width / text.heads) * text.keyValueHeads;
  normal("model.language_model.embed_tokens.weight", [vocabulary, text.width], initialisation.embedding);
  for (let i = 0; i < text.layers; i++) {
    const layer = `model.language_model.layers.${i}`;
    constant(`${layer}.input_layernorm.weight`, text.width, 1);
    constant(`${layer}.post_attention_layernorm.weight`, text.width, 1);
    matrix(`${layer}.self_attn.q_proj.weight`, [text.width, text.width]);
    matrix(`${layer}.self_attn.k_proj.weight`, [keyValueWidth, text.width]);
    matrix(`${layer}.self_attn.v_proj.weight`, [keyValueWidth, text.width]);
    matrix(`${layer}.self_attn.o_proj.weight`, [text.width, text.width], residual(text.layers));
    matrix(`${layer}.mlp.gate_proj.weight`, [text.inner, text.width]);
    matrix(`${layer}.mlp.up_proj.weight`, [text.inner, text.width]);
    matrix(`${layer}.mlp.down_proj.weight`, [text.width, text.inner], residual(text.layers));
  }
  constant("model.language_model.norm.weight", text.width, 1);
  matrix("lm_head.weight", [vocabulary, text.width], initialisation.logits);
  return tensors;
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((a, b) => a * b, 1);
}
