/** Random models: the library opens both forms, and the weights have the deviations that they should have. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { Llava } from "llava-webgpu";
import { Random } from "llava-webgpu/train";
import { afterAll, describe, expect, it } from "vitest";
import { randomWeights } from "../random-model.ts";
import { defaultSizes, type ModelOptions, writeModel } from "./model.ts";
import { writeTokenizer } from "./tokenizer.ts";

const root = mkdtempSync(join(tmpdir(), "llava-random-"));
afterAll(() => rmSync(root, { recursive: true }));
const tokenizer = join(root, "tokenizer");
writeTokenizer(tokenizer, [["What is this? a red apple", 5]]);

async function write(name: string, options: Partial<ModelOptions> = {}): Promise<string> {
  await writeModel(join(root, name), { tokenizer, seed: 1, ...options });
  return join(root, name);
}

/** A picture of noise, the same every time. */
function noise(width: number, height: number): Uint8Array {
  return encode({ width, height, channels: 3, data: Uint8Array.from(new Random(2).integers(3 * width * height, 256)) });
}

/** Image rows of a square picture. */
async function rowsOf(llava: Llava, side: number): Promise<number> {
  const { inputIds } = await llava.prepare({ images: [noise(side, side)], prompt: "What is this?" });
  return inputIds.filter((id) => id === llava.config.imageToken).length;
}

/** Deviation of the logits of one answer's first token. */
async function logitsOf(llava: Llava): Promise<number> {
  return deviation((await llava.forward({ images: [noise(90, 80)], prompt: "What is this?" })).logits.data);
}

function deviation(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

describe("writeModel", () => {
  it("writes a LLaVA-NeXT that sees up to four tiles", async () => {
    const llava = await Llava.load(await write("next"), { adapter: "swiftshader" });
    expect(llava.config).toMatchObject({
      kind: "llava_next",
      newline: true,
      featureLayers: [4],
      keepClass: false,
      pinpoints: [[72, 72], [72, 144], [144, 72], [144, 144]],
      text: { keyValueHeads: 2, headSize: 32, maxPositions: 1024 },
    });
    // The whole picture in 4 x 4 rows, and its map of tiles, with a newline after each line.
    expect(await rowsOf(llava, 72)).toBe(16 + 4 * 5);
    expect(await rowsOf(llava, 144)).toBe(16 + 8 * 9);
    expect(await logitsOf(llava)).toBeCloseTo(0.1, 1.5);
    await llava.dispose();
  });

  it("writes a plain LLaVA-1.5 of any size", async () => {
    const vision = { ...defaultSizes.vision, imageSize: 48, patch: 8, layers: 2, activation: "gelu" as const };
    const sizes = { ...defaultSizes, vision, featureLayer: -2, anyRes: false };
    const llava = await Llava.load(await write("plain", { sizes }), { adapter: "swiftshader" });
    expect(llava.config).toMatchObject({ kind: "llava", newline: false, featureLayers: [1], vision: { activation: "gelu" } });
    expect(await rowsOf(llava, 144)).toBe(36);
    expect(await logitsOf(llava)).toBeCloseTo(0.1, 1.5);
    await llava.dispose();
  });

  it("gives the same weights for the same seed", async () => {
    const bytes = async (name: string, seed: number) => readFileSync(join(await write(name, { seed }), "model.safetensors"));
    const one = await bytes("one", 3);
    expect(one.equals(await bytes("again", 3))).toBe(true);
    expect(one.equals(await bytes("other", 4))).toBe(false);
  });

  it("wants a tokenizer with the image token", async () => {
    const without = join(root, "without");
    cpSync(tokenizer, without, { recursive: true });
    writeFileSync(join(without, "tokenizer.json"), readFileSync(join(tokenizer, "tokenizer.json"), "utf8").replaceAll("<image>", "<picture>"));
    await expect(write("none", { tokenizer: without })).rejects.toThrow("tokenizer.json: expected <image> among the added tokens");
  });
});

describe("randomWeights", () => {
  const initialisation = { scaledResiduals: true, embedding: 0.5, position: 0.3, logits: 0.1 };
  const tensors = randomWeights(defaultSizes, 1000, initialisation, new Random(1));
  const of = (ending: string) => {
    const { data, shape } = tensors.find(({ name }) => name.endsWith(ending))!;
    return { shape, deviation: deviation(new Float32Array((data as Uint8Array).buffer)) };
  };

  it.each([
    ["patch_embedding.weight", [128, 3, 18, 18], 1 / Math.sqrt(972)],
    ["position_embedding.weight", [17, 128], 0.3],
    ["layers.0.self_attn.out_proj.weight", [128, 128], 1 / Math.sqrt(128 * 2 * 4)],
    ["layers.3.mlp.fc2.weight", [128, 384], 1 / Math.sqrt(384 * 2 * 4)],
    ["layers.3.mlp.fc1.weight", [384, 128], 1 / Math.sqrt(128)],
    ["linear_2.weight", [192, 192], 1 / Math.sqrt(192)],
    ["embed_tokens.weight", [1000, 192], 0.5],
    ["language_model.layers.0.self_attn.k_proj.weight", [64, 192], 1 / Math.sqrt(192)],
    ["layers.2.self_attn.o_proj.weight", [192, 192], 1 / Math.sqrt(192 * 2 * 3)],
    ["layers.2.mlp.down_proj.weight", [192, 512], 1 / Math.sqrt(512 * 2 * 3)],
    ["lm_head.weight", [1000, 192], 0.1 / Math.sqrt(192)],
  ])("%s", (ending, shape, expected) => {
    const found = of(ending);
    expect(found.shape).toEqual(shape);
    // Five standard errors of a deviation measured on this many samples.
    const samples = shape.reduce((product, length) => product * length, 1);
    expect(Math.abs(found.deviation / expected - 1)).toBeLessThan(5 / Math.sqrt(2 * samples));
  });

  it("has a newline row, and norms that change nothing", () => {
    expect(of("image_newline").shape).toEqual([192]);
    for (const { name, data } of tensors.filter((tensor) => /norm\d?\.|bias$/.test(tensor.name))) {
      const value = name.endsWith("bias") ? 0 : 1;
      expect(new Float32Array((data as Uint8Array).buffer).every((entry) => entry === value), name).toBe(true);
    }
  });
});
