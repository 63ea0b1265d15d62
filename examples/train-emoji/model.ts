/** The default model before training: its sizes, and a folder with random weights. */
import { type Initialisation, type ModelSizes, writeRandomModel } from "../random-model.ts";

/** Every layer of the tower is used, as none was trained for anything else: hence the feature layer -1. */
export const defaultSizes: ModelSizes = {
  vision: { imageSize: 72, patch: 18, width: 128, layers: 4, heads: 4, inner: 384, activation: "quick_gelu" },
  featureLayer: -1,
  text: { width: 192, layers: 3, heads: 6, keyValueHeads: 2, inner: 512, positions: 1024 },
  anyRes: true,
};

/** Tokens begin at about the size at which image rows leave the projector, so that neither drowns the other. */
const initialisation: Initialisation = { scaledResiduals: true, embedding: 0.5, position: 0.3, logits: 0.1 };

export interface ModelOptions {
  /** A folder with the tokenizer's files; `trainTokenizer` writes one. */
  readonly tokenizer: string;
  readonly seed: number;
  /** The default model's unless given. `{ ...defaultSizes, anyRes: false }` is a plain LLaVA-1.5. */
  readonly sizes?: ModelSizes;
}

/** Writes configuration, tokenizer and random weights to a folder that `Llava.load` and transformers open. */
export async function writeModel(folder: string, { tokenizer, seed, sizes = defaultSizes }: ModelOptions): Promise<void> {
  await writeRandomModel(folder, { sizes, initialisation, seed, tokenizer });
}
