import { type Activation, activationNames } from "./config-activation.ts";
import { Fields, isInteger, oneOf } from "./config-fields.ts";
import { readText, textDefaults, type TextConfig, textTypes } from "./config-text.ts";
import { readVision, type VisionConfig } from "./config-vision.ts";

export { ConfigError } from "./config-fields.ts";
export type { Activation } from "./config-activation.ts";
export type { RopeConfig, TextConfig } from "./config-text.ts";
export type { VisionConfig } from "./config-vision.ts";

/** The connector between tower and decoder: linear, activation, linear. */
export interface ProjectorConfig {
  readonly kind: "mlp";
  readonly activation: Activation;
  /** Whether both linear layers have biases. */
  readonly bias: boolean;
}

/** What generation_config.json recommends; informative, the library's own default is greedy. */
export interface GenerationDefaults {
  readonly doSample?: boolean;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly maxNewTokens?: number;
}

/** A checkpoint's settings, normalised: plain data, every default filled in. */
export interface ModelConfig {
  /** "text": a decoder alone, without pictures. */
  readonly kind: "llava" | "llava_next" | "llava_onevision" | "text";
  readonly text: TextConfig;
  /** Absent for "text". */
  readonly vision?: VisionConfig;
  /** Absent for "text". */
  readonly projector?: ProjectorConfig;
  /**
   * Which hidden states of the tower are concatenated for the projector: 0 is what enters the first block, i + 1 what
   * block i gives, before any final norm. Empty for "text".
   */
  readonly featureLayers: number[];
  /** Whether the tower's first row (CLIP's class token) goes to the decoder too: the strategy "full" of the file. */
  readonly keepClass: boolean;
  /** The token that stands for one image row; -1, which no token has, for "text". */
  readonly imageToken: number;
  /** The token that stands for one row of a video; "llava_onevision" only. */
  readonly videoToken?: number;
  /** Resolutions for AnyRes, [height, width] in pixels, in the order of the file: it decides ties. */
  readonly pinpoints?: [height: number, width: number][];
  /** k of "anyres_max_k": feature maps of more than k tiles' worth of rows are scaled down. "llava_onevision" only. */
  readonly anyresMax?: number;
  /** Whether the checkpoint has a learned row that ends every row of a tiled picture. */
  readonly newline: boolean;
  /** Begins a sequence. */
  readonly bos?: number;
  /** Any of them ends an answer; empty if no file names one. */
  readonly eos: number[];
  /** Fills up batches. */
  readonly pad?: number;
  readonly generation: GenerationDefaults;
}

/** What the three LLaVA classes take for settings that are absent (transformers 5.23 configuration_llava*.py). */
interface ClassDefaults {
  readonly text: TextConfig["kind"];
  readonly vision: "clip_vision_model" | "siglip_vision_model";
  readonly featureLayer: number;
  readonly strategy: "default" | "full";
  readonly imageToken: number;
}

type LlavaKind = Exclude<ModelConfig["kind"], "text">;
type VisualPart = Omit<ModelConfig, "text" | "bos" | "eos" | "pad" | "generation">;

const clipAndLlama = {
  text: "llama",
  vision: "clip_vision_model",
  featureLayer: -2,
  strategy: "default",
  imageToken: 32000,
} as const;

const classes: Record<LlavaKind, ClassDefaults> = {
  llava: clipAndLlama,
  llava_next: clipAndLlama,
  llava_onevision: {
    text: "qwen2",
    vision: "siglip_vision_model",
    featureLayer: -1,
    strategy: "full",
    imageToken: 151646,
  },
};

/** Every `model_type` that `parseConfig` reads. */
export const modelTypes: readonly string[] = [...Object.keys(classes), ...textTypes];

/**
 * Reads a checkpoint's config.json (parsed), and generation_config.json if it has one, in any spelling of the Hugging
 * Face layout: `image_token_index` or `image_token_id`, `rope_theta` and `rope_scaling` or `rope_parameters`, settings
 * left to the defaults of their class. Follows transformers 5.23 and, for tied heads, its workaround: a head is tied if
 * either the outer or the text configuration says so.
 *
 * @throws ConfigError for a model type, activation or rotary type that is not supported, and for a setting of the wrong
 * kind; it names the setting's path, what was expected and what came
 */
export function parseConfig(configJson: unknown, generationConfigJson?: unknown): ModelConfig {
  const model = new Fields(configJson, "config.json");
  const generation = new Fields(generationConfigJson ?? {}, "generation_config.json");
  const type = readType(model);
  const isLlava = Object.hasOwn(classes, type);
  const textFields = isLlava ? model.child("text_config") : model;
  const ownText = readText(textFields, isLlava ? classes[type as LlavaKind].text : (type as TextConfig["kind"]));
  const text = { ...ownText, tied: ownText.tied || model.flag("tie_word_embeddings", false) };
  const places = [generation, model, textFields];
  const defaults = textDefaults[text.kind];
  return {
    ...(isLlava ? readLlava(model, type as LlavaKind) : textOnly()),
    text,
    bos: readTokens(places, "bos_token_id", defaults.bos)[0],
    eos: readTokens(places, "eos_token_id", defaults.eos),
    pad: readTokens(places, "pad_token_id", undefined)[0],
    generation: readGeneration(generation),
  };
}

/** What stands in a configuration without a tower. */
function textOnly(): VisualPart {
  return { kind: "text", featureLayers: [], keepClass: false, imageToken: -1, newline: false };
}

/** The `model_type`, if it is a supported one. */
function readType(model: Fields): string {
  const type = model.raw("model_type");
  const expected = oneOf(modelTypes);
  const original = typeof type === "string" && /^llava_(llama|mistral|qwen|mpt|mixtral|gemma)/.test(type);
  if (original || model.has("mm_vision_tower") || model.has("mm_projector_type")) {
    const advice = "the original LLaVA layout is not supported yet, use the Hugging Face conversion of the checkpoint";
    throw model.error("model_type", `${expected} in the Hugging Face layout`, advice);
  }
  if (typeof type !== "string" || !modelTypes.includes(type)) throw model.error("model_type", expected);
  if (model.has("quantization_config")) {
    const advice = "load the unquantised checkpoint; the option `weights` quantises it while loading";
    throw model.error("quantization_config", "none", advice);
  }
  return type;
}

/** The part of a configuration that only models with a vision tower have. */
function readLlava(model: Fields, kind: LlavaKind): VisualPart {
  const defaults = classes[kind];
  const vision = readVision(model, defaults.vision);
  const strategies = { default: false, full: true };
  const imageKey = model.has("image_token_index") ? "image_token_index" : "image_token_id";
  return {
    kind,
    vision,
    projector: {
      kind: "mlp",
      activation: model.choice("projector_hidden_act", activationNames, "gelu"),
      bias: model.flag("multimodal_projector_bias", true),
    },
    featureLayers: readFeatureLayers(model, vision.layers, defaults.featureLayer),
    keepClass: model.choice("vision_feature_select_strategy", strategies, defaults.strategy),
    imageToken: model.integer(imageKey, defaults.imageToken, 0),
    // transformers always makes this parameter for these two classes; `use_image_newline_parameter` is not read.
    newline: kind !== "llava",
    ...(kind === "llava" ? {} : { pinpoints: readPinpoints(model, kind, vision.imageSize) }),
    ...(kind === "llava_onevision" ? readVideoAndAspect(model) : {}),
  };
}

/** `vision_feature_layer`: an index or a list of them into the layers + 1 hidden states; negative ones from the end. */
function readFeatureLayers(model: Fields, layers: number, otherwise: number): number[] {
  const key = "vision_feature_layer";
  const states = layers + 1;
  const chosen = model.has(key) ? model.integers(key, -states, states - 1) : [otherwise];
  return chosen.map((layer) => (layer < 0 ? layer + states : layer));
}

/** Tiles of 384 pixels, 1 to 6 in both directions: OneVision's list. */
const sixBySix = Array.from({ length: 36 }, (_, i): [number, number] => {
  return [384 * (1 + Math.floor(i / 6)), 384 * (1 + (i % 6))];
});

const defaultPinpoints: Record<"llava_next" | "llava_onevision", [number, number][]> = {
  llava_next: [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]],
  llava_onevision: sixBySix,
};

function readPinpoints(model: Fields, kind: keyof typeof defaultPinpoints, tile: number): [number, number][] {
  const key = "image_grid_pinpoints";
  const list = model.raw(key) ?? defaultPinpoints[kind];
  if (!Array.isArray(list) || list.length === 0) throw model.error(key, "a list of [height, width] pairs");
  return list.map((pair: unknown) => {
    if (Array.isArray(pair) && pair.length === 2 && pair.every((edge) => isInteger(edge, 1) && edge % tile === 0)) {
      return [pair[0], pair[1]];
    }
    throw model.error(key, `pairs [height, width] in multiples of the tower's image_size ${tile}`, "", pair);
  });
}

function readVideoAndAspect(model: Fields): { videoToken: number; anyresMax: number } {
  const key = "vision_aspect_ratio";
  const aspect = model.raw(key) ?? "anyres_max_9";
  const match = typeof aspect === "string" ? /^anyres_max_([1-9]\d{0,5})$/.exec(aspect) : null;
  if (match === null) throw model.error(key, '"anyres_max_k" with a number of tiles for k, as "anyres_max_9"');
  const tokenKey = model.has("video_token_index") ? "video_token_index" : "video_token_id";
  return { videoToken: model.integer(tokenKey, 151647, 0), anyresMax: Number(match[1]) };
}

/**
 * A special token's ids from the first place that has them. A null in the last place, the text configuration, means
 * that there is none; absent there, the class default counts. Some files write "none" as -1.
 */
function readTokens(places: readonly Fields[], key: string, otherwise: number | undefined): number[] {
  const place = places.find((fields) => fields.has(key));
  if (place !== undefined) return place.integers(key, -1, 2 ** 31 - 1).filter((id) => id >= 0);
  return otherwise === undefined || places[places.length - 1].raw(key) === null ? [] : [otherwise];
}

function readGeneration(fields: Fields): GenerationDefaults {
  const found = {
    doSample: fields.flag("do_sample", undefined),
    temperature: fields.number("temperature", undefined),
    topK: fields.integer("top_k", undefined, 0),
    topP: fields.number("top_p", undefined),
    minP: fields.number("min_p", undefined),
    repetitionPenalty: fields.number("repetition_penalty", undefined),
    maxNewTokens: fields.integer("max_new_tokens", undefined),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}
