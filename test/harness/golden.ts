/** Goldens made by Hugging Face transformers: cases, tensors, and their names in this library. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Message } from "../../src/input/messages.ts";
import { Checkpoint, openFolder, toFloat32 } from "../../weights/index.ts";

const root = new URL("../golden/", import.meta.url);

/** A path below `test/golden/`. */
export function goldenPath(path: string): string {
  return fileURLToPath(new URL(path, root));
}

export interface GoldenCase {
  readonly model: string;
  readonly case: string;
  readonly messages?: Message[];
  readonly prompt: string;
  readonly images?: string[];
  readonly videos?: string[][];
  readonly image_processor?: string;
  readonly input_ids: number[];
  readonly image_sizes?: [number, number][];
  readonly pixel_values_shape?: number[];
  readonly tensors: Record<string, { shape: number[]; rows?: number[] }>;
  readonly greedy: { tokens: number[]; top_ids: number[][]; top_values: number[][]; margins: number[] };
}

/** The cases of a model under `test/golden/models`. */
export function goldenCases(model: string): GoldenCase[] {
  const folder = goldenPath(`models/${model}/`);
  if (!existsSync(folder)) throw new Error(`no goldens in ${folder}`);
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .map((name) => JSON.parse(readFileSync(`${folder}/${name}`, "utf8")) as GoldenCase);
}

/** The stored tensors of a case by golden name, with the rows that are stored of each. */
export async function goldenTensors(model: string, golden: GoldenCase): Promise<Map<string, { shape: number[]; rows?: number[]; data: Float32Array }>> {
  const file = `${golden.case}.safetensors`;
  const bytes = readFileSync(goldenPath(`models/${model}/${file}`));
  const checkpoint = await Checkpoint.open(await openFolder({ [file]: new Blob([bytes]) }), { rename: (name) => name });
  const tensors = new Map<string, { shape: number[]; rows?: number[]; data: Float32Array }>();
  for (const name of checkpoint.names()) {
    const { shape, rows } = golden.tensors[name]!;
    const data = toFloat32(await checkpoint.read(name), checkpoint.info(name).dtype);
    tensors.set(name, { shape, ...(rows ? { rows } : {}), data });
  }
  await checkpoint.close();
  return tensors;
}

const names: [RegExp, string][] = [
  [/^model\.vision_tower\.pre_layrnorm$/, "vision.embeddings"],
  [/^model\.vision_tower\.encoder\.layers\.(\d+)\.self_attn\.attention_probabilities$/, "vision.layers.$1.attention.probabilities"],
  [/^model\.vision_tower\.encoder\.layers\.(\d+)\.self_attn$/, "vision.layers.$1.attention"],
  [/^model\.vision_tower\.encoder\.layers\.(\d+)$/, "vision.layers.$1"],
  [/^model\.multi_modal_projector$/, "projector"],
  [/^model\.language_model\.input$|^model\.embed_tokens$/, "language.embeddings"],
  [/^model\.(?:language_model\.)?layers\.(\d+)\.self_attn\.attention_probabilities$/, "language.layers.$1.attention.probabilities"],
  [/^model\.(?:language_model\.)?layers\.(\d+)\.self_attn$/, "language.layers.$1.attention"],
  [/^model\.(?:language_model\.)?layers\.(\d+)$/, "language.layers.$1"],
  [/^model\.(?:language_model\.)?norm$/, "language.norm"],
  [/^logits$/, "logits"],
];

/** The value path of a golden tensor; undefined for tensors that are not captured. SigLIP has no pre-norm, so its embeddings are the first state. */
export function valuePath(name: string, kind: "clip" | "siglip" | undefined): string | undefined {
  if (name === "model.vision_tower.embeddings") return kind === "siglip" ? "vision.embeddings" : undefined;
  const rule = names.find(([pattern]) => pattern.test(name));
  return rule && name.replace(...rule);
}

/** The stored rows of a captured value. */
export function storedRows(data: Float32Array, shape: readonly number[], rows: readonly number[] | undefined): Float32Array {
  if (!rows) return data;
  const width = shape.at(-1)!;
  const picked = new Float32Array(rows.length * width);
  rows.forEach((row, i) => picked.set(data.subarray(row * width, (row + 1) * width), i * width));
  return picked;
}
