import { LlavaError } from "../../errors/index.ts";
import type { Size } from "./anyres.ts";
import type { Filter } from "./resize.ts";

/** A processor configuration that cannot be followed. `key` is the setting at fault. */
export class ProcessorError extends LlavaError {
  override name = "ProcessorError";
  readonly key: string;

  constructor(key: string, problem: string) {
    super(`image processor: ${key} ${problem}`);
    this.key = key;
  }
}

/** How AnyRes cuts a picture into tiles. */
export interface Tiling {
  /** The resolutions to choose from, [height, width] in pixels, in the order of the file. */
  readonly pinpoints: readonly Size[];
  /** What happens to the pictures of a prompt that has several: tiled like a single one, or padded to a square. */
  readonly several: "tile" | "pad";
  /** k of "anyres_max_k"; absent: maps are never scaled down. */
  readonly maxTiles?: number;
}

/** To this shortest edge, keeping the proportions, or to exactly this [height, width]. */
export type TargetSize = { readonly shortestEdge: number } | { readonly exact: Size };

/** What happens to one picture, in this order; a step that is absent is left out. */
export interface ImageProcessing {
  /** Pad to a square with the mean colour first. */
  readonly padToSquare: boolean;
  readonly resize?: TargetSize;
  readonly filter: Filter;
  /** Cut this [height, width] out of the centre; black where the picture is smaller. */
  readonly crop?: Size;
  /** Bytes are multiplied by this. */
  readonly rescale?: number;
  /** Per channel; subtracted, then divided. */
  readonly normalise?: { readonly mean: readonly number[]; readonly std: readonly number[] };
  /** The colour for padding to a square: int(255 mean). */
  readonly background: readonly number[];
  readonly tiling?: Tiling;
}

export interface ProcessorConfig {
  readonly image: ImageProcessing;
  /** For the frames of a video: never padded to a square, never tiled. */
  readonly video: ImageProcessing;
  /** The placeholders of a picture and of a video in a rendered prompt. */
  readonly imageToken: string;
  readonly videoToken: string;
}

/** The parsed JSON files of a checkpoint, as far as they exist. */
export interface ProcessorFiles {
  /** config.json; needed. */
  readonly config: unknown;
  /** preprocessor_config.json: of the checkpoint, or of its vision tower's folder. */
  readonly preprocessor?: unknown;
  /** processor_config.json; since transformers 5 it holds the image processor as `image_processor`. */
  readonly processor?: unknown;
  /** video_preprocessor_config.json */
  readonly video?: unknown;
  /** config.json of the vision tower's own folder (original layout). */
  readonly tower?: unknown;
}

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const asObject = (value: unknown): Json => (isObject(value) ? value : {});

/** PIL's numbers of the filters. */
const filters: readonly Filter[] = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];

const clipNorm = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};
const siglipNorm = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

function flag(json: Json, key: string, otherwise: boolean): boolean {
  const value = json[key];
  if (value === undefined || value === null) return otherwise;
  if (typeof value !== "boolean") throw new ProcessorError(key, `must be true or false, got ${JSON.stringify(value)}`);
  return value;
}

function pixels(value: unknown, key: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 16384) return value;
  throw new ProcessorError(key, `must be a number of pixels from 1 to 16384, got ${JSON.stringify(value)}`);
}

/** `{ shortest_edge }`, `{ height, width }`, [height, width] or a single integer. */
function readSize(value: unknown, key: string, integer: "square" | "shortestEdge"): TargetSize {
  if (isObject(value)) {
    if (value.longest_edge !== undefined) throw new ProcessorError(`${key}.longest_edge`, "is not supported");
    if (value.shortest_edge !== undefined) return { shortestEdge: pixels(value.shortest_edge, `${key}.shortest_edge`) };
    return { exact: [pixels(value.height, `${key}.height`), pixels(value.width, `${key}.width`)] };
  }
  if (Array.isArray(value) && value.length === 2) return { exact: [pixels(value[0], key), pixels(value[1], key)] };
  const edge = pixels(value, key);
  return integer === "square" ? { exact: [edge, edge] } : { shortestEdge: edge };
}

/** Three numbers, one per channel; a single one counts for all. */
function channels(value: unknown, key: string): number[] {
  const list = Array.isArray(value) ? value : [value, value, value];
  if (list.length === 3 && list.every((x) => typeof x === "number" && Number.isFinite(x))) return list;
  throw new ProcessorError(key, `must be a number or three, got ${JSON.stringify(value)}`);
}

/**
 * A list of resolutions in either reading order, or the original code's text "(1x1),...,(6x6)" (all grids between the
 * two corners, in tiles of `tile` pixels). Gives [height, width] pairs in the order of the list.
 */
export function readPinpoints(value: unknown, order: "height-width" | "width-height", tile: number): Size[] {
  const key = "image_grid_pinpoints";
  const turn = (first: number, second: number): Size => (order === "height-width" ? [first, second] : [second, first]);
  if (typeof value === "string" && /\(\d+x\d+\)/.test(value)) {
    const corners = [...value.matchAll(/\((\d+)x(\d+)\)/g)].map((match) => [Number(match[1]), Number(match[2])]);
    const [low, high] = [corners[0], corners[corners.length - 1]];
    const out: Size[] = [];
    for (let a = low[0]; a <= Math.min(high[0], 64); a++) {
      for (let b = low[1]; b <= Math.min(high[1], 64); b++) out.push(turn(a * tile, b * tile));
    }
    if (out.length > 0 && low[0] * low[1] > 0) return out;
  }
  const list = typeof value === "string" ? parsedList(value) : value;
  if (!Array.isArray(list) || list.length === 0) {
    throw new ProcessorError(key, `must be a list of resolutions, got ${JSON.stringify(value)}`);
  }
  return list.map((entry) => {
    if (!Array.isArray(entry) || entry.length !== 2) {
      throw new ProcessorError(key, `must hold pairs of pixels, got ${JSON.stringify(entry)}`);
    }
    const pair = turn(pixels(entry[0], key), pixels(entry[1], key));
    if (pair[0] % tile !== 0 || pair[1] % tile !== 0) {
      throw new ProcessorError(key, `must be multiples of the tile of ${tile} pixels, got ${JSON.stringify(entry)}`);
    }
    return pair;
  });
}

/** A list written as text, as in some original configurations: "[(336, 672), (672, 336)]". */
function parsedList(text: string): unknown {
  try {
    return JSON.parse(text.replaceAll("(", "[").replaceAll(")", "]"));
  } catch {
    return undefined;
  }
}

/** k of "anyres_max_k". */
function maxTilesOf(aspect: unknown): number | undefined {
  const match = typeof aspect === "string" ? /^anyres_max_(\d+)$/.exec(aspect) : null;
  return match ? Number(match[1]) : undefined;
}

/** What a tower needs when no file says it: CLIP's or SigLIP's own processing at the tower's image size. */
function towerDefaults(config: Json, tower: Json): Json {
  const vision = asObject(config.vision_config ?? tower.vision_config ?? tower);
  const name = typeof config.mm_vision_tower === "string" ? config.mm_vision_tower : "";
  const kind = `${typeof vision.model_type === "string" ? vision.model_type : ""} ${name}`.toLowerCase();
  const named = /patch\d+-(\d{3})/.exec(name)?.[1] ?? (name.endsWith("clip-vit-large-patch14") ? "224" : undefined);
  const size = vision.image_size ?? (named === undefined ? undefined : Number(named));
  if (size === undefined) {
    const missing = "is missing and config.json does not give the vision tower's image_size; add the file";
    throw new ProcessorError("preprocessor_config.json", missing);
  }
  if (kind.includes("siglip") || config.model_type === "llava_onevision") {
    return { image_processor_type: "SiglipImageProcessor", size: { height: size, width: size }, ...norms(siglipNorm) };
  }
  const square = { height: size, width: size };
  const edge = { shortest_edge: size };
  return { image_processor_type: "CLIPImageProcessor", size: edge, crop_size: square, ...norms(clipNorm) };
}

const norms = ({ mean, std }: typeof clipNorm) => ({ image_mean: mean, image_std: std });

/** The steps that one preprocessor file describes, without padding to a square and without tiles. */
function readSteps(json: Json): ImageProcessing {
  const type = String(json.image_processor_type ?? json.video_processor_type ?? json.feature_extractor_type ?? "");
  // Only CLIP and its descendants crop, and only they read a bare integer as the shortest edge.
  const crops = /CLIP|LlavaNext|LlavaImage/.test(type) || (type === "" && json.crop_size !== undefined);
  const resample = json.resample ?? 3;
  const filter = typeof resample === "number" ? filters[resample] : undefined;
  if (filter === undefined) throw new ProcessorError("resample", `must be 0 to 5, got ${JSON.stringify(resample)}`);
  let crop: Size | undefined;
  if (flag(json, "do_center_crop", crops)) {
    const size = readSize(json.crop_size ?? json.size, "crop_size", "square");
    crop = "exact" in size ? size.exact : [size.shortestEdge, size.shortestEdge];
  }
  const mean = channels(json.image_mean ?? clipNorm.mean, "image_mean");
  const std = channels(json.image_std ?? clipNorm.std, "image_std");
  if (std.includes(0)) throw new ProcessorError("image_std", "must not be 0");
  const factor = json.rescale_factor ?? 1 / 255;
  if (typeof factor !== "number") throw new ProcessorError("rescale_factor", "must be a number");
  return {
    padToSquare: false,
    resize: flag(json, "do_resize", true)
      ? readSize(json.size, "size", crops ? "shortestEdge" : "square")
      : undefined,
    filter,
    crop,
    rescale: flag(json, "do_rescale", true) ? factor : undefined,
    normalise: flag(json, "do_normalize", true) ? { mean, std } : undefined,
    background: mean.map((value) => Math.trunc(value * 255)),
  };
}

/** Height and width of what comes out of the steps, or an error: a tower takes pictures of one size only. */
export function outputSize(steps: ImageProcessing): Size {
  if (steps.crop) return steps.crop;
  if (steps.resize && "exact" in steps.resize) return steps.resize.exact;
  if (steps.resize && steps.padToSquare) return [steps.resize.shortestEdge, steps.resize.shortestEdge];
  throw new ProcessorError("size", "must be { height, width } when do_center_crop is off: a tower takes one size only");
}

/**
 * Brings every known form of a checkpoint's processor files into one plain object: preprocessor_config.json, the merged
 * processor_config.json of transformers 5, the original LLaVA's config.json with the tower's preprocessor file, or none
 * of them (then the tower's own processing at its image size). Throws `ProcessorError` naming the setting at fault.
 */
export function readProcessorConfig(files: ProcessorFiles): ProcessorConfig {
  const config = asObject(files.config);
  const processor = asObject(files.processor);
  const own = files.preprocessor ?? processor.image_processor;
  const json = isObject(own) ? own : towerDefaults(config, asObject(files.tower));
  const steps = readSteps(json);
  const hubLayout = config.mm_vision_tower === undefined;
  const image = hubLayout ? huggingFace(steps, json, config, processor) : original(steps, config);
  const frames = files.video ?? processor.video_processor;
  outputSize(image);
  return {
    image,
    video: isObject(frames) && frames.size !== undefined ? readSteps(frames) : steps,
    imageToken: typeof processor.image_token === "string" ? processor.image_token : "<image>",
    videoToken: typeof processor.video_token === "string" ? processor.video_token : "<video>",
  };
}

/** Hugging Face layout: the processor's class decides about padding and tiles. Its pinpoints are (height, width). */
function huggingFace(steps: ImageProcessing, json: Json, config: Json, processor: Json): ImageProcessing {
  const type = String(json.image_processor_type ?? "");
  const oneVision = type.includes("LlavaOnevision") || config.model_type === "llava_onevision";
  const pinpoints = json.image_grid_pinpoints ?? config.image_grid_pinpoints;
  if (oneVision || type.includes("LlavaNext") || String(config.model_type).startsWith("llava_next")) {
    const several = oneVision ? "pad" : "tile";
    const aspect = processor.vision_aspect_ratio ?? config.vision_aspect_ratio ?? "anyres_max_9";
    const maxTiles = oneVision ? maxTilesOf(aspect) : undefined;
    const resolutions = readPinpoints(pinpoints, "height-width", tileOf(steps));
    return { ...steps, tiling: { pinpoints: resolutions, several, maxTiles } };
  }
  return { ...steps, padToSquare: type.includes("LlavaImage") && flag(json, "do_pad", false) };
}

/** Original layout: `image_aspect_ratio` decides. Its pinpoints are (width, height). */
function original(steps: ImageProcessing, config: Json): ImageProcessing {
  const aspect = config.image_aspect_ratio ?? "square";
  if (aspect === "square") return steps;
  if (aspect === "pad") return { ...steps, padToSquare: true };
  const maxTiles = maxTilesOf(aspect);
  if (aspect === "anyres" || maxTiles !== undefined) {
    const pinpoints = readPinpoints(config.image_grid_pinpoints, "width-height", tileOf(steps));
    return { ...steps, tiling: { pinpoints, several: maxTiles === undefined ? "tile" : "pad", maxTiles } };
  }
  const known = '"square", "pad", "anyres" or "anyres_max_k"';
  throw new ProcessorError("image_aspect_ratio", `must be ${known}, got ${JSON.stringify(aspect)}`);
}

/** Tiles are squares of the tower's size. */
function tileOf(steps: ImageProcessing): number {
  const [height, width] = outputSize(steps);
  if (height !== width) throw new ProcessorError("size", `must be square for AnyRes, got ${height} x ${width}`);
  return height;
}
