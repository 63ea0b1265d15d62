/** A tiny LLaVA with random weights. */
import { fileURLToPath } from "node:url";
import { type Initialisation, type ModelSizes, writeRandomModel } from "../random-model.ts";
import { SIZE } from "./pictures.ts";

const tokenizer = fileURLToPath(new URL("../tokenizer/", import.meta.url));

const sizes: ModelSizes = {
  vision: { imageSize: SIZE, patch: 8, width: 64, layers: 3, heads: 2, inner: 128, activation: "quick_gelu" },
  featureLayer: -2,
  text: { width: 64, layers: 2, heads: 2, keyValueHeads: 2, inner: 160, positions: 256 },
  anyRes: false,
};
const initialisation: Initialisation = { scaledResiduals: false, embedding: 1, position: 0.3, logits: 0.5 };

/** Writes configuration, tokenizer and weights. */
export async function writeModel(folder: string, seed: number): Promise<void> {
  await writeRandomModel(folder, { sizes, initialisation, seed, tokenizer });
}
