import { describe, expect, it } from "vitest";
import { configs, supported } from "../../test/golden/configs/read.ts";
import { ConfigError, parseConfig } from "./config.ts";

const parse = (name: string) => parseConfig(configs[name].config, configs[name].generation);

/** The parts of a file that most tests change. */
const llava = { model_type: "llava", text_config: {}, vision_config: {} };

describe("parseConfig on the oracle's files", () => {
  it("reads these and refuses the others", () => {
    expect(supported.length).toBe(24);
    const refused = Object.keys(configs).filter((name) => !supported.includes(name));
    for (const name of refused) expect(() => parse(name), name).toThrow(ConfigError);
  });

  it.each(supported)("takes every number as the file has it: %s", (name) => {
    const { config, generation = {} } = configs[name];
    const parsed = parse(name);
    const text = (config.text_config ?? config) as Record<string, number>;
    expect(parsed.text).toMatchObject({
      kind: text.model_type,
      vocabulary: text.vocab_size,
      width: text.hidden_size,
      layers: text.num_hidden_layers,
      heads: text.num_attention_heads,
      keyValueHeads: text.num_key_value_heads ?? text.num_attention_heads,
      headSize: text.head_dim ?? text.hidden_size / text.num_attention_heads,
      mlpWidth: text.intermediate_size,
      activation: "silu",
      epsilon: text.rms_norm_eps,
      maxPositions: text.max_position_embeddings,
    });
    if (generation.eos_token_id !== undefined) expect(parsed.eos).toEqual([generation.eos_token_id]);
    if (generation.pad_token_id !== undefined) expect(parsed.pad).toBe(generation.pad_token_id);
    if (config.vision_config === undefined) {
      expect(parsed).toMatchObject({ kind: "text", featureLayers: [], imageToken: -1 });
      expect(parsed.vision).toBeUndefined();
      return;
    }
    const vision = config.vision_config as Record<string, number>;
    expect(parsed.kind).toBe(config.model_type);
    expect(parsed.imageToken).toBe(config.image_token_index);
    expect(parsed.vision).toMatchObject({
      kind: String(vision.model_type).replace("_vision_model", ""),
      width: vision.hidden_size,
      layers: vision.num_hidden_layers,
      heads: vision.num_attention_heads,
      mlpWidth: vision.intermediate_size,
      imageSize: vision.image_size,
      patchSize: vision.patch_size,
      channels: 3,
    });
    if (config.image_grid_pinpoints !== undefined) expect(parsed.pinpoints).toEqual(config.image_grid_pinpoints);
  });

  it("reads the spelling of transformers 5 to the same result", () => {
    const { generation, ...old } = parse("llava-clip-llama");
    const { generation: saved, ...current } = parse("llava-clip-llama-transformers-5");
    expect(current).toEqual(old);
    expect([generation, saved]).toEqual([{}, {}]);
  });

  it("fills in what llava-full leaves to the classes", () => {
    const { text, vision, projector, ...rest } = parse("llava-full");
    expect(text).toMatchObject({ activation: "silu", keyValueHeads: 4, slidingWindow: 0, tied: false });
    expect(text.rope).toMatchObject({ kind: "default", theta: 10000, originalMaxPositions: 2048 });
    expect(vision).toMatchObject({ activation: "quick-gelu", epsilon: 1e-5, channels: 3 });
    expect(projector).toEqual({ kind: "mlp", activation: "gelu", bias: false });
    expect(rest).toEqual({
      kind: "llava",
      featureLayers: [3],
      keepClass: true,
      newline: false,
      imageToken: 440,
      bos: 1,
      eos: [2],
      pad: 441,
      generation: {},
    });
  });

  it("reads what is special to each model", () => {
    expect(parse("llava-layer-list")).toMatchObject({ featureLayers: [3, 1, 1], keepClass: false });
    expect(parse("llava-layer-list").vision?.epsilon).toBe(0.01);
    expect(parse("llava-mistral-sliding").text.slidingWindow).toBe(12);
    expect(parse("decoder-mistral").text).toMatchObject({ headSize: 10, slidingWindow: 9 });
    expect(parse("decoder-qwen2").text).toMatchObject({
      slidingWindow: 0,
      tied: true,
      queryKeyValueBias: true,
      outputBias: false,
    });
    expect(parse("llava-interleave")).toMatchObject({ kind: "llava", featureLayers: [3], keepClass: true });
    expect(parse("llava-interleave").text.tied).toBe(true);
    expect(parse("llava-interleave").vision).toMatchObject({ kind: "siglip", activation: "gelu-tanh", epsilon: 1e-6 });
    expect(parse("llava-onevision")).toMatchObject({ videoToken: 434, anyresMax: 9, newline: true, bos: 431 });
    expect(parse("llava-onevision-max4").anyresMax).toBe(4);
    expect(parse("training-llava-onevision")).toMatchObject({ eos: [450], pad: 450, featureLayers: [2] });
    expect(parse("training-llava-onevision").bos).toBeUndefined();
    expect(parse("llava-next-llama")).toMatchObject({ newline: true, featureLayers: [2], keepClass: false });
    expect(parse("emoji-llava").generation).toEqual({ doSample: false, maxNewTokens: 64 });
  });

  it("reads all kinds of rotary scaling", () => {
    expect(parse("decoder-llama-linear").text.rope).toMatchObject({ kind: "linear", factor: 2 });
    const dynamic = { kind: "dynamic", factor: 2, originalMaxPositions: 32 };
    expect(parse("decoder-llama-dynamic").text.rope).toMatchObject(dynamic);
    expect(parse("decoder-llama3").text.rope).toEqual({
      theta: 500000,
      kind: "llama3",
      factor: 8,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalMaxPositions: 64,
    });
  });
});

describe("class defaults", () => {
  it("are those of transformers for a file that says nothing", () => {
    const parsed = parseConfig({ model_type: "llava" });
    expect(parsed.text).toEqual({
      kind: "llama",
      vocabulary: 32000,
      width: 4096,
      layers: 32,
      heads: 32,
      keyValueHeads: 32,
      headSize: 128,
      mlpWidth: 11008,
      activation: "silu",
      epsilon: 1e-6,
      rope: parsed.text.rope,
      maxPositions: 2048,
      slidingWindow: 0,
      queryKeyValueBias: false,
      outputBias: false,
      mlpBias: false,
      tied: false,
    });
    const tower = { width: 1024, layers: 24, heads: 16, mlpWidth: 4096, imageSize: 336, patchSize: 14 };
    expect(parsed.vision).toMatchObject(tower);
    expect(parsed).toMatchObject({ featureLayers: [23], keepClass: false, imageToken: 32000, bos: 1, eos: [2] });
  });

  it("differ between a tower that is absent and one that is empty", () => {
    const small = { width: 768, layers: 12, heads: 12, mlpWidth: 3072, imageSize: 224 };
    expect(parseConfig(llava).vision).toMatchObject({ kind: "clip", ...small, patchSize: 32 });
    const siglip = parseConfig({ ...llava, vision_config: { model_type: "siglip_vision_model" } });
    const rest = { patchSize: 16, activation: "gelu-tanh", epsilon: 1e-6 };
    expect(siglip.vision).toMatchObject({ kind: "siglip", ...small, ...rest });
  });

  it("of LLaVA-NeXT", () => {
    const parsed = parseConfig({ model_type: "llava_next" });
    expect(parsed).toMatchObject({ newline: true, featureLayers: [23], imageToken: 32000 });
    expect(parsed.pinpoints).toEqual([[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]);
    expect(parsed.anyresMax).toBeUndefined();
  });

  it("of LLaVA-OneVision", () => {
    const parsed = parseConfig({ model_type: "llava_onevision" });
    expect(parsed.text).toMatchObject({ kind: "qwen2", vocabulary: 151936, mlpWidth: 22016, maxPositions: 32768 });
    const tower = { kind: "siglip", width: 1152, layers: 26, heads: 16, mlpWidth: 4304, imageSize: 384 };
    expect(parsed.vision).toMatchObject(tower);
    expect(parsed).toMatchObject({ imageToken: 151646, videoToken: 151647, anyresMax: 9 });
    expect(parsed).toMatchObject({ keepClass: true, featureLayers: [26] });
    expect(parsed.pinpoints?.length).toBe(36);
    expect(parsed.pinpoints?.slice(5, 8)).toEqual([[384, 2304], [768, 384], [768, 768]]);
    expect(parsed).toMatchObject({ eos: [], newline: true });
  });

  it("of a Mistral decoder", () => {
    const { text } = parseConfig({ model_type: "mistral" });
    expect(text).toMatchObject({ keyValueHeads: 8, mlpWidth: 14336, maxPositions: 131072, slidingWindow: 4096 });
  });
});

describe("settings that several places can hold", () => {
  it.each<[unknown, unknown, boolean]>([
    [undefined, true, true],
    [false, true, true],
    [true, undefined, true],
    [undefined, undefined, false],
    [false, false, false],
  ])("a head is tied if outer %s or text %s says so: %s", (outer, inner, tied) => {
    const config = { ...llava, tie_word_embeddings: outer, text_config: { tie_word_embeddings: inner } };
    expect(parseConfig(config).text.tied).toBe(tied);
  });

  it("takes special tokens from the generation file, then the outer, then the text configuration", () => {
    const text_config = { eos_token_id: 5, bos_token_id: null, pad_token_id: -1 };
    expect(parseConfig({ ...llava, text_config, eos_token_id: 4 }, { eos_token_id: [3, 7] }).eos).toEqual([3, 7]);
    expect(parseConfig({ ...llava, text_config, eos_token_id: 4 }, { eos_token_id: null }).eos).toEqual([4]);
    const { bos, eos, pad } = parseConfig({ ...llava, text_config });
    expect({ bos, eos, pad }).toEqual({ bos: undefined, eos: [5], pad: undefined });
    expect(parseConfig({ ...llava, text_config: { eos_token_id: null } }).eos).toEqual([]);
  });

  it("reads the newer names of the placeholder tokens", () => {
    expect(parseConfig({ ...llava, image_token_id: 99 }).imageToken).toBe(99);
    const parsed = parseConfig({ model_type: "llava_onevision", image_token_id: 8, video_token_id: 9 });
    expect(parsed).toMatchObject({ imageToken: 8, videoToken: 9 });
  });

  it("reads the rotary base in both places", () => {
    const rope = (text: object) => parseConfig({ model_type: "llama", ...text }).text.rope;
    expect(rope({ rope_theta: 5e5 })).toMatchObject({ theta: 5e5, kind: "default", factor: 1 });
    expect(rope({ rope_parameters: { rope_theta: 5e5, rope_type: "default" } }).theta).toBe(5e5);
    const linear = rope({ rope_theta: 7, rope_parameters: { rope_type: "linear", factor: 4 } });
    expect(linear).toMatchObject({ theta: 7, factor: 4 });
    expect(rope({ rope_theta: 7, rope_scaling: null, rope_parameters: null }).theta).toBe(7);
    const scaling = { rope_scaling: { type: "dynamic", factor: 3 }, rope_parameters: { rope_theta: 7 } };
    const dynamic = { kind: "dynamic", factor: 3, theta: 10000, originalMaxPositions: 99 };
    expect(rope({ ...scaling, max_position_embeddings: 99 })).toMatchObject(dynamic);
  });

  it("gives Qwen2 a window only when it is switched on in all layers", () => {
    const qwen = { model_type: "qwen2", num_hidden_layers: 4, sliding_window: 64 };
    expect(parseConfig(qwen).text.slidingWindow).toBe(0);
    const window = (text: object) => parseConfig({ ...qwen, use_sliding_window: true, ...text }).text.slidingWindow;
    expect(window({})).toBe(0);
    expect(window({ max_window_layers: 0 })).toBe(64);
    expect(window({ layer_types: Array(4).fill("sliding_attention") })).toBe(64);
    expect(window({ max_window_layers: 0, sliding_window: null })).toBe(0);
    expect(() => window({ max_window_layers: 2 })).toThrow(/max_window_layers: .*mix windowed/);
    expect(() => window({ layer_types: ["full_attention"] })).toThrow(/layer_types: expected a list of 4/);
  });

  it("gives Mistral a window unless it is null, and biases to LLaMA only", () => {
    expect(parseConfig({ model_type: "mistral", sliding_window: null }).text.slidingWindow).toBe(0);
    const biases = { attention_bias: true, mlp_bias: true };
    const all = { queryKeyValueBias: true, outputBias: true, mlpBias: true };
    expect(parseConfig({ model_type: "llama", ...biases }).text).toMatchObject(all);
    const none = { queryKeyValueBias: false, outputBias: false, mlpBias: false };
    expect(parseConfig({ model_type: "mistral", ...biases }).text).toMatchObject(none);
  });

  it.each([
    ["gelu", "gelu"],
    ["gelu_new", "gelu-tanh"],
    ["gelu_pytorch_tanh", "gelu-tanh"],
    ["quick_gelu", "quick-gelu"],
    ["swish", "silu"],
  ])("knows the activation %s as %s", (name, activation) => {
    expect(parseConfig({ ...llava, projector_hidden_act: name }).projector?.activation).toBe(activation);
  });
});

describe("errors", () => {
  const text = (values: object) => ({ ...llava, text_config: values });
  const vision = (values: object) => ({ ...llava, vision_config: values });
  const ropeKinds = '"default", "linear", "dynamic", "llama3"';
  const towers = '"clip_vision_model", "siglip_vision_model"';

  it.each<[string, unknown, string]>([
    ["", [], "a JSON object"],
    ["model_type", { model_type: "vipllava" }, '"llava", "llava_next", "llava_onevision", "llama", "mistral"'],
    ["model_type", {}, '"llava"'],
    ["text_config", { ...llava, text_config: 3 }, "a JSON object"],
    ["text_config.model_type", text({ model_type: "mixtral" }), '"llama", "mistral", "qwen2"'],
    ["text_config.hidden_size", text({ hidden_size: "40" }), "an integer"],
    ["text_config.hidden_size", text({ hidden_size: 0 }), "an integer from 1"],
    ["text_config.num_attention_heads", text({ hidden_size: 40, num_attention_heads: 3 }), "a divisor of hidden_size"],
    ["text_config.num_key_value_heads", text({ num_key_value_heads: 3 }), "a divisor of num_attention_heads 32"],
    ["text_config.head_dim", text({ hidden_size: 96 }), "an even head size"],
    ["text_config.hidden_act", text({ hidden_act: "relu" }), '"gelu"'],
    ["text_config.rms_norm_eps", text({ rms_norm_eps: -1 }), "greater than 0"],
    ["text_config.tie_word_embeddings", text({ tie_word_embeddings: 1 }), "true or false"],
    ["text_config.rope_scaling.type", text({ rope_scaling: { type: "yarn", factor: 4 } }), ropeKinds],
    ["text_config.rope_scaling.factor", text({ rope_scaling: { type: "linear" } }), "greater than 0"],
    ["text_config.rope_parameters.full_attention", text({ rope_parameters: { full_attention: {} } }), "for all layers"],
    ["text_config.partial_rotary_factor", text({ partial_rotary_factor: 0.5 }), "1"],
    ["vision_config.model_type", vision({ model_type: "pixtral" }), towers],
    ["vision_config.num_attention_heads", vision({ num_attention_heads: 7 }), "a divisor of hidden_size 768"],
    ["vision_config.patch_size", vision({ patch_size: 225 }), "at most image_size 224"],
    ["vision_config.image_size", vision({ image_size: [224, 224] }), "an integer"],
    ["vision_feature_layer", { ...llava, vision_feature_layer: -14 }, "from -13 to 12"],
    ["vision_feature_layer", { ...llava, vision_feature_layer: [] }, "a list"],
    ["vision_feature_select_strategy", { ...llava, vision_feature_select_strategy: "patch" }, '"default", "full"'],
    ["image_token_index", { ...llava, image_token_index: -200 }, "an integer from 0"],
    ["image_grid_pinpoints", { model_type: "llava_next", image_grid_pinpoints: [[336, 500]] }, "multiples of"],
    ["vision_aspect_ratio", { model_type: "llava_onevision", vision_aspect_ratio: "anyres" }, "anyres_max_k"],
    ["quantization_config", { ...llava, quantization_config: { load_in_4bit: true } }, "none"],
  ])("names the setting at fault: %s", (path, config, expected) => {
    const parseIt = () => parseConfig(config);
    const fields = { name: "ConfigError", file: "config.json", path, expected: expect.stringContaining(expected) };
    expect(parseIt).toThrow(ConfigError);
    expect(parseIt).toThrow(expect.objectContaining(fields));
    expect(parseIt).toThrow(/^config\.json: [^\n]*expected [^\n]*, got [^\n]*$/);
  });

  it("names the generation file", () => {
    const message = 'generation_config.json: top_p: expected a finite number, got "1"';
    expect(() => parseConfig(llava, { top_p: "1" })).toThrow(message);
  });

  it.each(["llava_llama", "llava_mistral", "llava_qwen"])("points owners of %s to the conversion", (type) => {
    const advice = "the original LLaVA layout is not supported yet, use the Hugging Face conversion";
    expect(() => parseConfig({ model_type: type })).toThrow(advice);
  });

  it("cuts long values short and stays on one line", () => {
    const { message } = catchError({ model_type: `a\nb\u2028${"x".repeat(500)}` });
    expect(message).not.toMatch(/[\n\u2028]/);
    expect(message.length).toBeLessThan(300);
  });

  function catchError(config: unknown): Error {
    try {
      parseConfig(config);
    } catch (error) {
      return error as Error;
    }
    throw new Error("no error");
  }
});
