/**
 * LLaVA in five steps: encode the image, project its features, embed the tokens, put the image rows in their places, decode.
 * Liu et al. 2023, "Visual Instruction Tuning". The members of the family differ in their towers and decoders, in the hidden
 * states they take, and in how the tiles of a picture become rows (`src/input/pack.ts`).
 */
import type { Graph } from "../graph/graph.ts";
import { type Operand, type Parameter, ShapeError, type Tensor } from "../graph/tensor.ts";
import { Scope } from "../nn/scope.ts";
import { concat, dropFirst, placeRows, type RowMix } from "../ops/index.ts";
import type { ModelConfig } from "./config.ts";
import { type DecodeContext, decoder } from "./decoder.ts";
import { projector } from "./projector.ts";
import { visionTokens, visionTower } from "./vision.ts";

export interface LlavaModel {
  /** Every weight, by path. Their GPU blocks are filled by `loadWeights`. */
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** The learned row that ends every row of patches of an AnyRes picture, [D]. */
  readonly newline?: Parameter;
  /** Image rows that a picture or tile gives. */
  readonly rowsPerTile: number;
  /** Step 1: pixels [tiles, 3, S, S] -> what the projector reads [tiles, rows, V · feature layers]. */
  features(pixels: Tensor): Tensor;
  /** Steps 1 and 2: pixels [tiles, 3, S, S] -> image rows [tiles, rows, D]. */
  see(pixels: Tensor): Tensor;
  /** Steps 3 and 4: ids [n], image rows and for every token its row or TEXT [n] -> embeddings [n, D]. */
  embed(ids: Tensor, images?: PlacedRows): Tensor;
  /** Step 5: embeddings [n, D] -> hidden states [n, D]. */
  decode(x: Tensor, context: DecodeContext): Tensor;
  /** Hidden states [n, D] -> logits [n, V]. */
  head(x: Tensor): Tensor;
  /** The matrix of the head, [V, D]. */
  readonly headWeight: Parameter;
}

/** Image rows and where they go. */
export interface PlacedRows {
  /** [m, D] */
  readonly rows: Operand;
  /** For every token its row, or TEXT, [n]. */
  readonly source: Tensor;
  /** What gradients need: see `placeRows`. */
  readonly inverse?: { readonly text: RowMix; readonly rows: RowMix };
}

/** Declares a model's weights and returns its steps as functions that trace. */
export function llava(config: ModelConfig): LlavaModel {
  const root = new Scope("");
  const language = decoder(root.at("language"), config.text);
  const sight = config.vision && config.projector ? vision(root, config as SeeingConfig) : undefined;
  const newline = config.newline ? root.vector("newline", [config.text.width]) : undefined;

  return {
    parameters: root.parameters,
    ...(newline ? { newline } : {}),
    rowsPerTile: sight?.rows ?? 0,
    features: (pixels) => seeing(sight).features(pixels),
    see: (pixels) => {
      const { features, project } = seeing(sight);
      return project(features(pixels));
    },
    embed: (ids, images) => {
      const text = inLanguage(ids.graph, () => language.embed(ids));
      const merged = images ? inLanguage(ids.graph, () => placeRows(text, images.rows, images.source, images.inverse)) : text;
      return root.at("language.embeddings").name(merged);
    },
    decode: language.decode,
    head: (x) => root.at("logits").name(language.head(x)),
    headWeight: language.headWeight,
  };
}

type SeeingConfig = ModelConfig & Required<Pick<ModelConfig, "vision" | "projector">>;

/** The vision tower, pixels [tiles, 3, S, S] -> features [tiles, rows, W], and the projector, features -> image rows [tiles, rows, D]. */
function vision(root: Scope, config: SeeingConfig) {
  const { prefix, patches } = visionTokens(config.vision);
  const tower = visionTower(root.at("vision"), config.vision);
  const inputs = config.vision.width * config.featureLayers.length;
  const project = projector(root.at("projector"), inputs, config.text.width, config.projector);
  // Hugging Face's strategy "default" drops the first row of any tower, CLIP's class token or not.
  const dropped = config.keepClass ? 0 : 1;
  return {
    rows: prefix + patches - dropped,
    project,
    features: (pixels: Tensor): Tensor => {
      const states = tower(pixels);
      const chosen = config.featureLayers.map((layer) => states[layer]!); // each [tiles, T, V]
      const features = chosen.length === 1 ? chosen[0]! : concat(chosen, "columns");
      return dropped ? dropFirst(features, dropped) : features;
    },
  };
}

function seeing<T>(sight: T | undefined): T {
  if (!sight) throw new ShapeError("see: this model has no vision tower; use a LLaVA checkpoint");
  return sight;
}

function inLanguage<T>(graph: Graph, body: () => T): T {
  return graph.within("language", body);
}
