/**
 * Puts the vision tower of one checkpoint in front of the language model of another: a LLaVA-1.5 whose projector is fresh,
 * in a folder that `Llava.load` and transformers 5.23 open. README.md has the command.
 *
 *     --tower FOLDER --language FOLDER --output FOLDER [--cache FOLDER] [--seed N] [--adapter NAME]
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { PictureSource } from "llava-webgpu";
import { Random } from "llava-webgpu/train";
import { Checkpoint, createFile, fromFloat32, openFolder, type TensorToWrite, toFloat32, writeSafetensors } from "llava-webgpu/weights";
import { Augmenter } from "../train-emoji/augment.ts";
import { loadDrawings } from "../train-emoji/drawings.ts";
import { defaultCache } from "../train-emoji/prepare.ts";
import { SmolError } from "./error.ts";
import { freshProjector, rootMeanSquare, towerFeatures } from "./projector.ts";

export interface AssembleOptions {
  /** Folder of a LLaVA or LLaVA-NeXT with a CLIP tower, whose first tile is what the new model sees. */
  readonly tower: string;
  /** Folder of a LLaMA-like decoder with `tokenizer.json`. */
  readonly language: string;
  readonly output: string;
  /** Some pictures: the projector begins with outputs of the token embeddings' size, measured on them. */
  readonly pictures: readonly PictureSource[];
  /** Of the projector. Default 1. */
  readonly seed?: number;
  /** Where the tower runs for that measurement. */
  readonly adapter?: string;
}

/** A JSON file of another library, most of whose fields are passed on as they are. */
type Json = Readonly<Record<string, unknown>>;

/** What is read of the tower's config.json. */
interface TowerConfig extends Json {
  readonly vision_config: Json & { readonly image_size: number; readonly patch_size: number };
}

/** What is read of the language model's. */
interface LanguageConfig extends Json {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly eos_token_id: number | readonly number[];
  readonly tie_word_embeddings?: boolean;
}

interface TokenizerFile extends Json {
  readonly added_tokens: { readonly id: number; readonly content: string }[];
}

/** The number of rows of an embedding is rounded up to this, as transformers' `pad_to_multiple_of` does for fast kernels. */
const ROWS = 64;

/**
 * ChatML as SmolLM2 has it but without its default system text: `<|im_start|>user\n<image>\nWhat is this?<|im_end|>\n`, which is
 * the layout "qwen" of training with an empty system text.
 */
const chatTemplate = `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}\
{% if message['content'] is string %}{{ message['content'] }}{% else %}\
{% for part in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}\
{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ part['text'] }}{% endfor %}{% endif %}\
{{ '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`;

/** Writes the folder. Throws `SmolError` for parts that do not fit, and what is wrong with their files. */
export async function assemble({ tower, language, output, pictures, seed = 1, adapter }: AssembleOptions): Promise<void> {
  const seeing = readTower(tower);
  const speaking = readLanguage(language);
  const tokenizer = readJson<TokenizerFile>(language, "tokenizer.json");
  const image = addImageToken(tokenizer, speaking.vocab_size);
  const rows = Math.ceil((image + 1) / ROWS) * ROWS;

  mkdirSync(output, { recursive: true });
  const write = (file: string, value: object) => writeFileSync(join(output, file), `${JSON.stringify(value, null, 2)}\n`);
  const ends = sequenceTokens(speaking);
  const preprocessor = { ...imageProcessor(readJson(tower, "preprocessor_config.json")), processor_class: "LlavaProcessor" };
  write("config.json", { ...modelConfig(seeing, speaking, { image, rows }), ...ends });
  write("generation_config.json", ends);
  write("preprocessor_config.json", preprocessor);
  write("processor_config.json", processorConfig(preprocessor, seeing));
  writeFileSync(join(output, "tokenizer.json"), JSON.stringify(tokenizer));
  const settings = readJson(language, "tokenizer_config.json");
  write("tokenizer_config.json", { ...settings, extra_special_tokens: ["<image>"], padding_side: "left", processor_class: "LlavaProcessor" });
  writeFileSync(join(output, "chat_template.jinja"), chatTemplate);

  const features = await towerFeatures(tower, pictures, adapter);
  const [towerWeights, languageWeights] = await Promise.all([tower, language].map(openUnderOwnNames));
  try {
    const embedding = await grown(languageWeights, EMBEDDING, rows);
    const head = languageWeights.has(HEAD) && !speaking.tie_word_embeddings ? [await grown(languageWeights, HEAD, rows)] : [];
    const projector = freshProjector(features, speaking.hidden_size, embedding.size, new Random(seed));
    const tensors = [...towerTensors(towerWeights), ...projector, embedding.tensor, ...languageTensors(languageWeights), ...head.map(({ tensor }) => tensor)];
    await writeSafetensors(await createFile(join(output, "model.safetensors")), tensors, { format: "pt" });
  } finally {
    await towerWeights.close();
    await languageWeights.close();
  }
}

function readJson<T extends Json>(folder: string, file: string): T {
  const path = join(folder, file);
  if (!existsSync(path)) throw new SmolError(`${folder}: expected ${file}, found none; name a folder in Hugging Face's layout`);
  return JSON.parse(readFileSync(path, "utf8"));
}

function readTower(folder: string): TowerConfig {
  const config = readJson<TowerConfig>(folder, "config.json");
  const kind = config.vision_config?.model_type ?? config.model_type;
  if (kind !== "clip_vision_model") throw new SmolError(`${folder}: expected a LLaVA with a clip_vision_model, got ${JSON.stringify(kind)}`);
  if (Array.isArray(config.vision_feature_layer)) throw new SmolError(`${folder}: expected one vision_feature_layer, got ${config.vision_feature_layer.length}`);
  return config;
}

function readLanguage(folder: string): LanguageConfig {
  const config = readJson<LanguageConfig>(folder, "config.json");
  if (config.model_type !== "llama") throw new SmolError(`${folder}: expected a decoder of type llama, got ${JSON.stringify(config.model_type)}`);
  return config;
}

async function openUnderOwnNames(folder: string): Promise<Checkpoint> {
  return Checkpoint.open(await openFolder(folder), { rename: (name) => name });
}

/** Adds `<image>` behind all other tokens; returns its id. */
function addImageToken({ added_tokens: added }: TokenizerFile, vocabulary: number): number {
  if (added.some(({ content }) => content === "<image>")) throw new SmolError("language: expected a tokenizer without <image>, got one that has it");
  const id = Math.max(vocabulary, ...added.map((token) => token.id + 1));
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  added.push({ id, content: "<image>", ...flags });
  return id;
}

/** Where sequences begin and end, for config.json and generation_config.json. */
function sequenceTokens({ bos_token_id, eos_token_id, pad_token_id }: LanguageConfig): object {
  return { bos_token_id, eos_token_id, pad_token_id: pad_token_id ?? (typeof eos_token_id === "number" ? eos_token_id : eos_token_id[0]) };
}

/**
 * `LlavaConfig` of transformers 5.23: what the parts' own files say, and how they are joined. That version refuses an integer
 * where it wants a float, and JSON.stringify writes 1.0 as 1: so settings of dropout and initialisation are left out.
 */
function modelConfig(tower: TowerConfig, language: LanguageConfig, { image, rows }: { image: number; rows: number }): object {
  const { vision_config: vision } = tower;
  const { architectures: _architectures, transformers_version: _version, ...text } = settled(language);
  return {
    architectures: ["LlavaForConditionalGeneration"],
    dtype: "float32",
    image_seq_length: Math.floor(vision.image_size / vision.patch_size) ** 2,
    image_token_index: image,
    model_type: "llava",
    multimodal_projector_bias: true,
    projector_hidden_act: "gelu",
    text_config: { ...text, dtype: "float32", vocab_size: rows },
    tie_word_embeddings: language.tie_word_embeddings ?? false,
    transformers_version: "5.23.0",
    vision_config: { ...settled(vision), dtype: "float32" },
    vision_feature_layer: tower.vision_feature_layer ?? -2,
    vision_feature_select_strategy: strategyOf(tower),
  };
}

const strategyOf = (tower: TowerConfig): unknown => tower.vision_feature_select_strategy ?? "default";

/** A configuration without what matters for training from scratch only. */
function settled(config: Json): Json {
  return Object.fromEntries(Object.entries(config).filter(([name]) => !/dropout|initializer/.test(name)));
}

/** The tower's own steps without the tiles of AnyRes. */
function imageProcessor({ image_grid_pinpoints: _pinpoints, do_pad: _pad, ...steps }: Json): Json {
  return { ...steps, image_processor_type: "CLIPImageProcessor" };
}

function processorConfig(preprocessor: Json, tower: TowerConfig): object {
  return {
    image_processor: preprocessor,
    image_token: "<image>",
    // CLIP's class token, which the strategy "default" drops.
    num_additional_image_tokens: 1,
    patch_size: tower.vision_config.patch_size,
    processor_class: "LlavaProcessor",
    vision_feature_select_strategy: strategyOf(tower),
  };
}

const EMBEDDING = "model.embed_tokens.weight";
const HEAD = "lm_head.weight";

/**
 * A matrix with a row for each token, with the mean row for all new ones, and the root mean square of the old. In a head the
 * logit of the mean row is the mean of the logits: a new token is never the likeliest.
 */
async function grown(source: Checkpoint, name: string, rows: number): Promise<{ tensor: TensorToWrite; size: number }> {
  const { dtype, shape } = source.info(name);
  const [old, width] = shape;
  const values = toFloat32(await source.read(name), dtype);
  const mean = new Float64Array(width);
  for (let i = 0; i < values.length; i++) mean[i % width] += values[i] / old;
  return { tensor: { name: languageName(name), dtype, shape: [rows, width], data: pieces() }, size: rootMeanSquare(values) };

  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield source.read(name);
    const row = fromFloat32(Float32Array.from(mean), dtype);
    for (let i = old; i < rows; i++) yield row;
  }
}

const languageName = (name: string): string => name.replace(/^model\./, "model.language_model.");

/** All but those with a row for each token. */
function languageTensors(source: Checkpoint): TensorToWrite[] {
  return source.names().filter((name) => name !== EMBEDDING && name !== HEAD).map((name) => copied(source, name, languageName(name)));
}

/** The tower's, in files of any version of transformers. */
function towerTensors(source: Checkpoint): TensorToWrite[] {
  return source.names().flatMap((name) => {
    const at = name.indexOf("vision_tower.");
    return at < 0 ? [] : [copied(source, name, `model.${name.slice(at)}`)];
  });
}

function copied(source: Checkpoint, name: string, newName: string): TensorToWrite {
  const { dtype, shape } = source.info(name);
  return { name: newName, dtype, shape, data: bytes() };

  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield source.read(name);
  }
}

/** Pictures that the projector's outputs are measured on. */
const MEASURED = 16;

/** Command line. */
export async function main(args: readonly string[]): Promise<void> {
  const text = { type: "string" } as const;
  const options = { tower: text, language: text, output: text, cache: { ...text, default: defaultCache }, seed: { ...text, default: "1" }, adapter: text } as const;
  const { tower, language, output, cache, seed, adapter } = parseArgs({ args: [...args], options }).values;
  if (!tower || !language || !output) throw new SmolError("assemble: expected --tower, --language and --output, each with a folder");
  const { training } = loadDrawings(cache, ["noto"]);
  const random = new Random(Number(seed));
  const augmenter = new Augmenter(readTower(tower).vision_config.image_size);
  const pictures = Array.from({ length: MEASURED }, () => augmenter.augment(training[random.integer(training.length)], random).picture);
  await assemble({ tower, language, output, pictures, seed: Number(seed), ...(adapter ? { adapter } : {}) });
  console.log(output);
}
