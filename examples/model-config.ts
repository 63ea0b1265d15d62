/** The JSON files that describe a small LLaVA-1.5 or LLaVA-NeXT in Hugging Face's layout, as data. */

/** The sizes of a LLaVA: a CLIP tower, a projector of two layers, a LLaMA decoder. Widths are multiples of their heads. */
export interface ModelSizes {
  readonly vision: {
    /** Height and width of a tile in pixels, a multiple of `patch`. */
    readonly imageSize: number;
    /** Height and width of a patch in pixels. */
    readonly patch: number;
    readonly width: number;
    readonly layers: number;
    readonly heads: number;
    /** Hidden size of the MLP. */
    readonly inner: number;
    readonly activation: "quick_gelu" | "gelu";
  };
  /** Which hidden state of the tower the projector reads: -1 is what the last layer gives, -2 the one before. */
  readonly featureLayer: number;
  readonly text: {
    readonly width: number;
    readonly layers: number;
    readonly heads: number;
    /** Key and value heads; they divide `heads`. */
    readonly keyValueHeads: number;
    /** Hidden size of the gated MLP. */
    readonly inner: number;
    /** The longest sequence in tokens, image rows included. */
    readonly positions: number;
  };
  /** LLaVA-NeXT, which sees a picture whole and again cut into up to 2 x 2 tiles; otherwise LLaVA-1.5. */
  readonly anyRes: boolean;
}

/** What the tokenizer decides. */
export interface Vocabulary {
  readonly size: number;
  /** The ids of `<image>` and `<pad>`. */
  readonly image: number;
  readonly pad: number;
}

/** Where a sequence begins and ends, in LLaMA's vocabularies. */
const [BOS, EOS] = [1, 2];

/** Patches of one tile. */
export function patchesOf({ imageSize, patch }: ModelSizes["vision"]): number {
  return Math.floor(imageSize / patch) ** 2;
}

/** The resolutions of AnyRes, [height, width] in pixels: one tile, two side by side, two on top of each other, four. */
function pinpoints(tile: number): [number, number][] {
  return [[tile, tile], [tile, 2 * tile], [2 * tile, tile], [2 * tile, 2 * tile]];
}

/**
 * config.json, with the settings of `LlavaConfig` or `LlavaNextConfig` of transformers 5.23. That version refuses an
 * integer where it wants a float, and JSON.stringify writes 1.0 as 1: so settings of initialisation are left out.
 */
export function modelConfig({ vision, featureLayer, text, anyRes }: ModelSizes, vocabulary: Vocabulary): object {
  return {
    architectures: [anyRes ? "LlavaNextForConditionalGeneration" : "LlavaForConditionalGeneration"],
    bos_token_id: BOS,
    dtype: "float32",
    eos_token_id: EOS,
    ...(anyRes ? { image_grid_pinpoints: pinpoints(vision.imageSize) } : {}),
    image_seq_length: patchesOf(vision),
    image_token_index: vocabulary.image,
    model_type: anyRes ? "llava_next" : "llava",
    multimodal_projector_bias: true,
    pad_token_id: vocabulary.pad,
    projector_hidden_act: "gelu",
    text_config: {
      attention_bias: false,
      bos_token_id: BOS,
      dtype: "float32",
      eos_token_id: EOS,
      head_dim: text.width / text.heads,
      hidden_act: "silu",
      hidden_size: text.width,
      intermediate_size: text.inner,
      max_position_embeddings: text.positions,
      mlp_bias: false,
      model_type: "llama",
      num_attention_heads: text.heads,
      num_hidden_layers: text.layers,
      num_key_value_heads: text.keyValueHeads,
      pad_token_id: vocabulary.pad,
      rms_norm_eps: 1e-5,
      rope_parameters: { rope_theta: 10000, rope_type: "default" },
      tie_word_embeddings: false,
      use_cache: true,
      vocab_size: vocabulary.size,
    },
    tie_word_embeddings: false,
    transformers_version: "5.23.0",
    ...(anyRes ? { use_image_newline_parameter: true } : {}),
    vision_config: {
      dtype: "float32",
      hidden_act: vision.activation,
      hidden_size: vision.width,
      image_size: vision.imageSize,
      intermediate_size: vision.inner,
      layer_norm_eps: 1e-5,
      model_type: "clip_vision_model",
      num_attention_heads: vision.heads,
      num_channels: 3,
      num_hidden_layers: vision.layers,
      patch_size: vision.patch,
      projection_dim: vision.width,
    },
    vision_feature_layer: featureLayer,
    vision_feature_select_strategy: "default",
  };
}

/** Means and deviations of CLIP's pixels by channel, for values from 0 to 1. */
export const clipPixels = { mean: [0.48145466, 0.4578275, 0.40821073], deviation: [0.26862954, 0.26130258, 0.27577711] } as const;

/** preprocessor_config.json: CLIP's steps, with the tiles of AnyRes for a LLaVA-NeXT. */
export function imageProcessorConfig({ vision: { imageSize }, anyRes }: ModelSizes): object {
  return {
    do_convert_rgb: true,
    do_resize: true,
    size: { shortest_edge: imageSize },
    resample: 3,
    do_center_crop: true,
    crop_size: { height: imageSize, width: imageSize },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: clipPixels.mean,
    image_std: clipPixels.deviation,
    ...(anyRes ? { do_pad: true, image_grid_pinpoints: pinpoints(imageSize) } : {}),
    image_processor_type: anyRes ? "LlavaNextImageProcessor" : "CLIPImageProcessor",
  };
}

/** The class of transformers that turns pictures and words into inputs. */
export function processorClass({ anyRes }: ModelSizes): string {
  return anyRes ? "LlavaNextProcessor" : "LlavaProcessor";
}

/** processor_config.json, which transformers 5 reads first; it holds the image processor's settings too. */
export function processorConfig(sizes: ModelSizes): object {
  return {
    image_processor: imageProcessorConfig(sizes),
    image_token: "<image>",
    // CLIP's class token, which the strategy "default" drops.
    num_additional_image_tokens: 1,
    patch_size: sizes.vision.patch,
    processor_class: processorClass(sizes),
    vision_feature_select_strategy: "default",
  };
}
