import { readFileSync } from "node:fs";
import type { RawSample, SampleTurn, TrainingTemplate } from "../../../../src/train/data/index.ts";
import { Tokenizer } from "../../../../tokenizer/tokenizer.ts";

/** A golden file of this folder, parsed. */
function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8")) as T;
}

/** One conversation under one template. */
export interface MaskGolden {
  readonly prompt: string;
  readonly input_ids: number[];
  readonly labels: number[];
  readonly learning: number;
  readonly mismatch: boolean;
  readonly expanded_input_ids?: number[];
  readonly expanded_labels?: number[];
}

/** `masks.json` */
export interface Masks {
  readonly tokenizers: Record<"llama" | "byte", { special_tokens: Record<string, number> }>;
  readonly templates: Record<TrainingTemplate, { tokenizer: "llama" | "byte" }>;
  readonly image_rows_when_expanded: number;
  readonly cases: readonly {
    readonly name: string;
    readonly conversations: SampleTurn[];
    readonly images: number;
    readonly modality_length: number;
    readonly placement: "front" | "interleaved";
    readonly model_max_length: number;
    readonly expected: Partial<Record<TrainingTemplate, MaskGolden>>;
  }[];
}

/** `data_layer.json` */
export interface DataLayer {
  readonly placement: readonly { value: string; front: string; interleaved: string }[];
  readonly counts: readonly {
    name: string;
    sample: RawSample;
    placement: "front" | "interleaved";
    placeholders: number;
    images: number;
    valid: boolean;
  }[];
  readonly broken_samples: readonly { name: string; sample: { id: string }; wrong: string }[];
  readonly sampler: {
    readonly cases: readonly {
      name: string;
      batch: number;
      world: number;
      lengths: number[];
      given_permutations: { all?: number[]; with_image?: number[]; text_only?: number[]; megabatches?: number[] };
      megabatches?: number[][];
      indices: number[];
    }[];
  };
}

/** One model of `batches.json`: the checkpoint's JSON files, the samples, and the batch that they make. */
export interface BatchGolden {
  readonly config: object;
  readonly preprocessor: object;
  readonly processor: object;
  readonly template: TrainingTemplate;
  /** `images` holds [height, width] of each picture. */
  readonly samples: readonly { conversations: SampleTurn[]; images: [number, number][] }[];
  readonly pixel_values_shape: number[];
  readonly input_ids: number[][];
  readonly labels: number[][];
  readonly attention_mask: number[][];
  readonly image_sizes?: [number, number][];
  readonly batch_num_images?: number[];
}

export const masks = read<Masks>("masks.json");
export const dataLayer = read<DataLayer>("data_layer.json");
export const batchGoldens = read<Record<"llava" | "llava_next" | "llava_onevision", BatchGolden>>("batches.json");

/** The parsed tokenizer files, and the tokenizers that they make. */
export const tokenizerFiles = {
  llama: read<object>("llama_tokenizer.json"),
  byte: read<object>("byte_tokenizer.json"),
};
export const tokenizers = {
  llama: Tokenizer.fromJSON(tokenizerFiles.llama),
  byte: Tokenizer.fromJSON(tokenizerFiles.byte),
};
