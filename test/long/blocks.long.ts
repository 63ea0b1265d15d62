/**
 * One block of each real model, random weights, on every adapter against plain TypeScript: CLIP-L/14-336 and SigLIP so400m
 * towers of one layer, and decoders with one layer of Vicuna-7B (f16, whose stacked matrices exceed the binding limit of
 * some adapters) and Qwen2-0.5B, whole and through the key/value cache.
 */
import { describe, it } from "vitest";
import { Random } from "../../kernels/random.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { Graph } from "../../src/graph/graph.ts";
import { Program } from "../../src/graph/program.ts";
import { type Resident, Scalar } from "../../src/graph/tensor.ts";
import { Workspace } from "../../src/graph/workspace.ts";
import { parseConfig, type TextConfig, type VisionConfig } from "../../src/models/config.ts";
import { type DecodeContext, decoder } from "../../src/models/decoder.ts";
import { rotaryTable } from "../../src/models/rope.ts";
import { visionTower } from "../../src/models/vision.ts";
import { Scope } from "../../src/nn/scope.ts";
import { testAdapters } from "../harness/adapters.ts";
import { expectClose } from "../harness/close.ts";
import { loadRandomWeights, randomWeights, type Weights } from "../harness/random-weights.ts";
import {
  type BlockValues,
  decoderBlockReference,
  visionBlockReference,
  visionEmbeddingsReference,
} from "../harness/reference-block.ts";

const LIMIT = 2e-5;

/** Tokens of a decoder's prompt. */
const TOKENS = 64;

const openai = { hidden_size: 1024, intermediate_size: 4096, num_attention_heads: 16, image_size: 336, patch_size: 14, hidden_act: "quick_gelu" };
const so400m = { hidden_size: 1152, intermediate_size: 4304, num_attention_heads: 16, image_size: 384, patch_size: 14, hidden_act: "gelu_pytorch_tanh" };
const towers = {
  "CLIP-L/14-336": visionConfig({ model_type: "clip_vision_model", ...openai }),
  "SigLIP so400m/14-384": visionConfig({ model_type: "siglip_vision_model", ...so400m }),
};

const vicuna = { hidden_size: 4096, intermediate_size: 11008, num_attention_heads: 32, rms_norm_eps: 1e-5 };
const qwen = { hidden_size: 896, intermediate_size: 4864, num_attention_heads: 14, num_key_value_heads: 2, rope_theta: 1e6, tie_word_embeddings: true };
const decoders = {
  "Vicuna-7B": { config: textConfig({ model_type: "llama", ...vicuna }), type: "f16" },
  "Qwen2-0.5B": { config: textConfig({ model_type: "qwen2", ...qwen }), type: "f32" },
} as const;

const adapters = await testAdapters();

describe("towers of one layer", () => {
  for (const [name, config] of Object.entries(towers)) {
    const path = "vision.layers.0";
    const size = config.imageSize;
    const pixels = new Random(1).normal(config.channels * size * size);
    let expected: { weights: Weights; embeddings: Float32Array; values: BlockValues } | undefined;

    for (const found of adapters) {
      it(`${name} on ${found.name}`, async () => {
        const scope = new Scope("vision");
        const tower = visionTower(scope, config);
        expected ??= towerReference(pixels, randomWeights(scope.parameters, "f32", 2), path, config);
        const { weights, embeddings, values } = expected;
        await onGpu(found, async (gpu, workspace) => {
          await loadRandomWeights(scope.parameters, weights, "f32", gpu);
          const graph = new Graph();
          tower(graph.input("pixels", [1, config.channels, size, size]));
          const program = await Program.compile(graph, workspace, { outputs: {}, watch: ["vision.embeddings", path, `${path}.attention`] });
          program.run({ pixels });
          expectClose(await floats(program, "vision.embeddings"), embeddings, LIMIT, "vision.embeddings");
          await compare(program, path, values);
        });
      });
    }
  }
});

describe("decoders of one layer", () => {
  for (const [name, { config, type }] of Object.entries(decoders)) {
    const x = new Random(3).normal(TOKENS * config.width);
    const path = "language.layers.0";
    let expected: { weights: Weights; values: BlockValues } | undefined;

    for (const found of adapters) {
      it(`${name} on ${found.name}`, async () => {
        const scope = new Scope("language");
        const { decode } = decoder(scope, config);
        expected ??= decoderReference(x, randomWeights(scope.parameters, type, 4), path, config);
        const { weights, values } = expected;
        await onGpu(found, async (gpu, workspace) => {
          await loadRandomWeights(scope.parameters, weights, type, gpu);
          const table = await resident(gpu, "table", [TOKENS, config.headSize]);
          gpu.write(table.buffer, 0, rotaryTable(config.rope, config.headSize, TOKENS));

          const run = async (rows: number, position: number, context: DecodeContext): Promise<Program> => {
            const graph = new Graph();
            decode(graph.input("x", [rows, config.width]), context);
            const program = await Program.compile(graph, workspace, { outputs: {}, watch: [path, `${path}.attention`] });
            program.run({ x: x.subarray(position * config.width, (position + rows) * config.width) }, { position });
            return program;
          };
          await compare(await run(TOKENS, 0, { table }), path, values);

          const cacheShape = [TOKENS, config.keyValueHeads * config.headSize] as const;
          const cache = { keys: [await resident(gpu, "keys", cacheShape)], values: [await resident(gpu, "values", cacheShape)] };
          const cached = { table, cache, position: new Scalar("position", TOKENS) };
          const last = TOKENS - 1;
          await compare(await run(last, 0, cached), path, rowsOf(values, 0, last, config.width));
          await compare(await run(1, last, cached), path, rowsOf(values, last, TOKENS, config.width));
        });
      });
    }
  }
});

async function onGpu(found: (typeof adapters)[number], body: (gpu: Gpu, workspace: Workspace) => Promise<void>): Promise<void> {
  const gpu = await Gpu.open({ ...found, adapter: await found.request() });
  try {
    await body(gpu, new Workspace(gpu));
  } finally {
    await gpu.dispose();
  }
}

async function compare(program: Program, path: string, { attention, block }: BlockValues): Promise<void> {
  expectClose(await floats(program, `${path}.attention`), attention, LIMIT, `${path}.attention`);
  expectClose(await floats(program, path), block, LIMIT, path);
}

async function floats(program: Program, name: string): Promise<Float32Array> {
  return (await program.read(name)).data as Float32Array;
}

function towerReference(pixels: Float32Array, weights: Weights, path: string, config: VisionConfig) {
  const embeddings = visionEmbeddingsReference(pixels, weights, config);
  return { weights, embeddings, values: visionBlockReference(embeddings, weights, path, config) };
}

function decoderReference(x: Float32Array, weights: Weights, path: string, config: TextConfig) {
  return { weights, values: decoderBlockReference(x, weights, path, config) };
}

function rowsOf({ attention, block }: BlockValues, from: number, to: number, width: number): BlockValues {
  return { attention: attention.subarray(from * width, to * width), block: block.subarray(from * width, to * width) };
}

async function resident(gpu: Gpu, label: string, shape: readonly [number, number]): Promise<Resident> {
  return { label, shape, type: "f32", buffer: await gpu.allocateStorage(label, shape[0] * shape[1] * 4) };
}

/** As config.json has it, with one layer and a small vocabulary. */
function textConfig(fields: Record<string, unknown>): TextConfig {
  return parseConfig({ ...fields, num_hidden_layers: 1, vocab_size: 8 }).text;
}

function visionConfig(fields: Record<string, unknown>): VisionConfig {
  const text = { model_type: "llama", hidden_size: 8, num_attention_heads: 1, num_hidden_layers: 1, vocab_size: 8 };
  return parseConfig({
    model_type: "llava",
    image_token_index: 1,
    vision_config: { ...fields, num_hidden_layers: 1 },
    text_config: text,
    vision_feature_layer: -1,
  }).vision!;
}
