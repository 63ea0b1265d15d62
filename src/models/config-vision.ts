import { type Activation, activationNames } from "./config-activation.ts";
import { type Fields, mostLayers } from "./config-fields.ts";

/** A CLIP or SigLIP vision tower: a transformer over square patches of a square picture. */
export interface VisionConfig {
  /** CLIP: class token, pre-LayerNorm, patch convolution without bias. SigLIP: none of them, convolution with bias. */
  readonly kind: "clip" | "siglip";
  /** Size of a hidden state. */
  readonly width: number;
  /** Blocks that the checkpoint holds. */
  readonly layers: number;
  /** Attention heads; they divide `width`. */
  readonly heads: number;
  /** Hidden size of the MLP. */
  readonly mlpWidth: number;
  /** Height and width of the pictures that the tower takes, in pixels. */
  readonly imageSize: number;
  /** Height and width of a patch, in pixels. Pixels beyond the last whole patch are not seen. */
  readonly patchSize: number;
  /** Colour channels of a pixel. */
  readonly channels: number;
  readonly activation: Activation;
  /** Of the LayerNorms. */
  readonly epsilon: number;
}

interface VisionDefaults {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly mlpWidth: number;
  readonly imageSize: number;
  readonly patchSize: number;
}

const kinds = { clip_vision_model: "clip", siglip_vision_model: "siglip" } as const;

/** What the classes of the towers take for a setting that `vision_config` leaves out. */
const base: Record<VisionConfig["kind"], VisionDefaults> = {
  clip: { width: 768, layers: 12, heads: 12, mlpWidth: 3072, imageSize: 224, patchSize: 32 },
  siglip: { width: 768, layers: 12, heads: 12, mlpWidth: 3072, imageSize: 224, patchSize: 16 },
};

/** The towers of the published models, taken if the file has no `vision_config` at all. */
const published: Record<VisionConfig["kind"], VisionDefaults> = {
  clip: { width: 1024, layers: 24, heads: 16, mlpWidth: 4096, imageSize: 336, patchSize: 14 },
  siglip: { width: 1152, layers: 26, heads: 16, mlpWidth: 4304, imageSize: 384, patchSize: 14 },
};

/**
 * Reads `vision_config` of `model`; `otherwise` is the model type if the file does not name one. Defaults follow
 * transformers 5.23 configuration_clip.py, configuration_siglip.py and the LLaVA classes. Throws `ConfigError`.
 */
export function readVision(model: Fields, otherwise: keyof typeof kinds): VisionConfig {
  const fields = model.child("vision_config");
  const kind = fields.choice("model_type", kinds, otherwise);
  const defaults = (model.has("vision_config") ? base : published)[kind];
  const width = fields.integer("hidden_size", defaults.width);
  const heads = fields.integer("num_attention_heads", defaults.heads);
  if (width % heads !== 0) throw fields.error("num_attention_heads", `a divisor of hidden_size ${width}`, "", heads);
  const imageSize = fields.integer("image_size", defaults.imageSize);
  const patchSize = fields.integer("patch_size", defaults.patchSize);
  if (patchSize > imageSize) throw fields.error("patch_size", `at most image_size ${imageSize}`, "", patchSize);
  return {
    kind,
    width,
    layers: fields.integer("num_hidden_layers", defaults.layers, 1, mostLayers),
    heads,
    mlpWidth: fields.integer("intermediate_size", defaults.mlpWidth),
    imageSize,
    patchSize,
    channels: fields.integer("num_channels", 3),
    activation: fields.choice("hidden_act", activationNames, kind === "clip" ? "quick_gelu" : "gelu_pytorch_tanh"),
    epsilon: fields.positive("layer_norm_eps", kind === "clip" ? 1e-5 : 1e-6),
  };
}
