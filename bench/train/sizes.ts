/** The sizes of models that training is timed with: small LLaVA-1.5 forms with the tokenizer of the embedded model. */
import type { ModelSizes } from "../../examples/random-model.ts";

/** A model and the batches that it is trained on. */
export interface TrainSize {
  readonly name: string;
  readonly sizes: ModelSizes;
  /** Samples of a step, each with one picture. */
  readonly batch: number;
  /** Text tokens of every sample, behind the image rows. */
  readonly textTokens: number;
  /** The parts that learn: what is timed one after the other. */
  readonly stages: readonly (readonly string[])[];
}

interface Shape {
  readonly image: number;
  readonly vision: readonly [width: number, layers: number, inner: number];
  readonly text: readonly [width: number, layers: number, inner: number];
}

/** Widths of all heads. */
const HEAD = 32;
const PATCH = 8;

function sizesOf({ image, vision: [width, layers, inner], text: [textWidth, textLayers, textInner] }: Shape): ModelSizes {
  const heads = textWidth / HEAD;
  return {
    vision: { imageSize: image, patch: PATCH, width, layers, heads: width / HEAD, inner, activation: "quick_gelu" },
    featureLayer: -1,
    text: { width: textWidth, layers: textLayers, heads, keyValueHeads: heads, inner: textInner, positions: 256 },
    anyRes: false,
  };
}

/** LLaVA's second stage, and everything. */
const SECOND = ["projector", "language"];
const ALL = ["vision", ...SECOND];

/** What is timed; `quick` is one model of two layers. */
export function trainSizes(quick: boolean): TrainSize[] {
  if (quick) return [{ name: "tiny", stages: [ALL], sizes: sizesOf({ image: 16, vision: [32, 2, 64], text: [32, 2, 64] }), batch: 4, textTokens: 40 }];
  return [
    { name: "S", stages: [SECOND, ALL], sizes: sizesOf({ image: 48, vision: [128, 4, 512], text: [160, 4, 432] }), batch: 32, textTokens: 40 },
    { name: "M", stages: [SECOND, ALL], sizes: sizesOf({ image: 64, vision: [192, 4, 768], text: [256, 6, 688] }), batch: 8, textTokens: 48 },
  ];
}

/** Image rows and text tokens of a sample. */
export function tokensOfSample({ sizes: { vision }, textTokens }: TrainSize): number {
  return (vision.imageSize / vision.patch) ** 2 + textTokens;
}
