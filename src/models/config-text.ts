import { type Activation, activationNames } from "./config-activation.ts";
import { type Fields, mostLayers, oneOf } from "./config-fields.ts";

/** How rotary position embeddings get their frequencies; `rope.ts` has the formulas. */
export interface RopeConfig {
  /** The base: 1 / theta^(2j/h) radians per position. */
  readonly theta: number;
  readonly kind: "default" | "linear" | "dynamic" | "llama3";
  /** How many times longer the context is than the one trained first; 1 for "default". */
  readonly factor: number;
  /** "llama3": wavelengths longer than originalMaxPositions / lowFrequencyFactor are stretched by the whole factor. */
  readonly lowFrequencyFactor: number;
  /** "llama3": wavelengths shorter than originalMaxPositions / highFrequencyFactor stay as they are. */
  readonly highFrequencyFactor: number;
  /** "llama3": positions of the first training. "dynamic": positions that need no stretching. */
  readonly originalMaxPositions: number;
}

/** A decoder of the LLaMA family. */
export interface TextConfig {
  readonly kind: "llama" | "mistral" | "qwen2";
  /** Rows of the embedding as config.json has it; the weight itself may be padded to more. */
  readonly vocabulary: number;
  /** Size of a hidden state. */
  readonly width: number;
  readonly layers: number;
  /** Query heads. */
  readonly heads: number;
  /** Key and value heads; they divide `heads`. */
  readonly keyValueHeads: number;
  /** Size of one head: even, and not always width / heads. */
  readonly headSize: number;
  /** Hidden size of the gated MLP. */
  readonly mlpWidth: number;
  readonly activation: Activation;
  /** Of the RMSNorms. */
  readonly epsilon: number;
  readonly rope: RopeConfig;
  /** Positions that the model was made for. */
  readonly maxPositions: number;
  /** Query i sees key j only if i - slidingWindow < j <= i; 0: all keys up to i. */
  readonly slidingWindow: number;
  /** Whether the query, key and value projections have biases. */
  readonly queryKeyValueBias: boolean;
  /** Whether the output projection of attention has a bias. */
  readonly outputBias: boolean;
  /** Whether the three projections of the MLP have biases. */
  readonly mlpBias: boolean;
  /** Whether the head that makes logits is the embedding itself. */
  readonly tied: boolean;
}

/** What the classes of transformers 5.23 take for a setting that is absent; `keyValueHeads` undefined: as `heads`. */
interface TextDefaults {
  readonly vocabulary: number;
  readonly mlpWidth: number;
  readonly keyValueHeads: number | undefined;
  readonly maxPositions: number;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
}

const kinds = { llama: "llama", mistral: "mistral", qwen2: "qwen2" } as const;

/** The `model_type` of the decoders that can be read. */
export const textTypes: readonly string[] = Object.keys(kinds);

/** Class defaults by kind: configuration_llama.py, configuration_mistral.py, configuration_qwen2.py. */
export const textDefaults: Readonly<Record<TextConfig["kind"], TextDefaults>> = {
  llama: { vocabulary: 32000, mlpWidth: 11008, keyValueHeads: undefined, maxPositions: 2048, bos: 1, eos: 2 },
  mistral: { vocabulary: 32000, mlpWidth: 14336, keyValueHeads: 8, maxPositions: 131072, bos: 1, eos: 2 },
  qwen2: {
    vocabulary: 151936,
    mlpWidth: 22016,
    keyValueHeads: 32,
    maxPositions: 32768,
    bos: undefined,
    eos: undefined,
  },
};

/** Reads a decoder's settings; `otherwise` is the model type if the file does not name one. Throws `ConfigError`. */
export function readText(fields: Fields, otherwise: TextConfig["kind"]): TextConfig {
  const kind = fields.choice("model_type", kinds, otherwise);
  const defaults = textDefaults[kind];
  const width = fields.integer("hidden_size", 4096);
  const layers = fields.integer("num_hidden_layers", 32, 1, mostLayers);
  const heads = fields.integer("num_attention_heads", 32);
  // An explicit null means one key/value head per query head, in every class.
  const groups = fields.raw("num_key_value_heads") === null ? undefined : defaults.keyValueHeads;
  const keyValueHeads = fields.integer("num_key_value_heads", groups ?? heads);
  if (heads % keyValueHeads !== 0) {
    throw fields.error("num_key_value_heads", `a divisor of num_attention_heads ${heads}`, "", keyValueHeads);
  }
  const maxPositions = fields.integer("max_position_embeddings", defaults.maxPositions);
  const rope = readRope(fields, maxPositions);
  // Biases are a setting of LLaMA; Mistral never has them, Qwen2 has them on query, key and value.
  const attentionBias = kind === "llama" && fields.flag("attention_bias", false);
  return {
    kind,
    vocabulary: fields.integer("vocab_size", defaults.vocabulary),
    width,
    layers,
    heads,
    keyValueHeads,
    headSize: readHeadSize(fields, width, heads, rope),
    mlpWidth: fields.integer("intermediate_size", defaults.mlpWidth),
    activation: fields.choice("hidden_act", activationNames, "silu"),
    epsilon: fields.positive("rms_norm_eps", 1e-6),
    rope,
    maxPositions,
    slidingWindow: readWindow(fields, kind, layers),
    queryKeyValueBias: kind === "qwen2" || attentionBias,
    outputBias: attentionBias,
    mlpBias: kind === "llama" && fields.flag("mlp_bias", false),
    tied: fields.flag("tie_word_embeddings", false),
  };
}

/** `head_dim`, or hidden_size / num_attention_heads. Rotation takes halves, so that it must be even. */
function readHeadSize(fields: Fields, width: number, heads: number, rope: RopeConfig): number {
  if (!fields.has("head_dim") && width % heads !== 0) {
    throw fields.error("num_attention_heads", `a divisor of hidden_size ${width}, as there is no head_dim`, "", heads);
  }
  const size = fields.integer("head_dim", width / heads);
  // The dynamic base is raised to h / (h - 2).
  const least = rope.kind === "dynamic" ? 4 : 2;
  if (size % 2 !== 0 || size < least) {
    throw fields.error("head_dim", `an even head size of at least ${least} for rotary positions`, "", size);
  }
  return size;
}

/** `sliding_window`: Mistral's counts whenever it is a number; Qwen2's only with `use_sliding_window`. */
function readWindow(fields: Fields, kind: TextConfig["kind"], layers: number): number {
  const off = kind === "llama" || (kind === "qwen2" && !fields.flag("use_sliding_window", false));
  if (off || fields.raw("sliding_window") === null) return 0;
  const window = fields.integer("sliding_window", 4096);
  if (kind === "mistral") return window;
  const sliding = slidingLayers(fields, layers);
  if (sliding !== 0 && sliding !== layers) {
    const key = fields.has("layer_types") ? "layer_types" : "max_window_layers";
    const advice = "decoders that mix windowed and full attention are not supported";
    throw fields.error(key, `the same attention in all ${layers} layers`, advice);
  }
  return sliding === 0 ? 0 : window;
}

/** How many layers of a Qwen2 have the window: as `layer_types` says, or all from `max_window_layers` on. */
function slidingLayers(fields: Fields, layers: number): number {
  if (!fields.has("layer_types")) return Math.max(0, layers - fields.integer("max_window_layers", 28, 0));
  const types = fields.raw("layer_types");
  const known = ["full_attention", "sliding_attention"];
  if (!Array.isArray(types) || types.length !== layers || types.some((type) => !known.includes(type))) {
    throw fields.error("layer_types", `a list of ${layers} names, each ${oneOf(known)}`);
  }
  return types.filter((type) => type === "sliding_attention").length;
}

const ropeKinds = { default: "default", linear: "linear", dynamic: "dynamic", llama3: "llama3" } as const;

/**
 * Reads both spellings: `rope_theta` with `rope_scaling` (type under `rope_type` or `type`), and transformers 5's
 * `rope_parameters`, which holds the base too. As there, a filled `rope_scaling` goes before `rope_parameters`.
 */
function readRope(text: Fields, maxPositions: number): RopeConfig {
  const scaling = text.child("rope_scaling");
  const filled = typeof text.raw("rope_scaling") === "object" && Object.keys(text.raw("rope_scaling") ?? {}).length > 0;
  const fields = filled ? scaling : text.child("rope_parameters");
  for (const place of [text, fields]) {
    if (place.number("partial_rotary_factor", 1) !== 1) {
      throw place.error("partial_rotary_factor", "1", "heads that are rotated in part are not supported");
    }
  }
  for (const layerType of ["full_attention", "sliding_attention"]) {
    if (fields.has(layerType)) {
      const advice = "sets by layer type are not supported";
      throw fields.error(layerType, "one set of rotary parameters for all layers", advice);
    }
  }
  const kind = fields.choice(fields.has("rope_type") ? "rope_type" : "type", ropeKinds, "default");
  const theta = fields.positive("rope_theta", text.positive("rope_theta", 10000));
  const plain: RopeConfig = {
    theta,
    kind,
    factor: 1,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 1,
    originalMaxPositions: maxPositions,
  };
  if (kind === "default") return plain;
  const factor = required(fields, "factor");
  if (kind !== "llama3") return { ...plain, factor };
  const lowFrequencyFactor = required(fields, "low_freq_factor");
  const highFrequencyFactor = required(fields, "high_freq_factor");
  if (highFrequencyFactor <= lowFrequencyFactor) {
    throw fields.error("high_freq_factor", `more than low_freq_factor ${lowFrequencyFactor}`);
  }
  const key = "original_max_position_embeddings";
  const originalMaxPositions = text.integer(key, fields.integer(key, maxPositions));
  return { theta, kind, factor, lowFrequencyFactor, highFrequencyFactor, originalMaxPositions };
}

/** A positive number that has no default. */
function required(fields: Fields, key: string): number {
  const value = fields.positive(key, undefined);
  if (value === undefined) throw fields.error(key, "a number greater than 0");
  return value;
}
