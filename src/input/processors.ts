import { fitInside, gridShape, selectBestResolution } from "./anyres.ts";
import type { Size } from "./anyres.ts";
import { coverTransparent, cropImage } from "./image.ts";
import type { Image } from "./image.ts";
import { outputSize } from "./processor-config.ts";
import type { ImageProcessing, Tiling } from "./processor-config.ts";
import { resize } from "./resize.ts";
import type { Box, Canvas } from "./resize.ts";

/** One picture as a vision tower takes it. */
export interface ProcessedImage {
  /** [tiles, channels, height, width]; with tiles, the base tile (the whole picture squashed) comes first. */
  readonly pixels: Float32Array;
  readonly tiles: number;
  readonly channels: 3;
  readonly height: number;
  readonly width: number;
  /** The same tiles before rescaling, for drawing: [tiles, height, width, channels] bytes. */
  readonly bytes: Uint8Array;
  /** Of the picture that came, after EXIF orientation. */
  readonly originalSize: Size;
  /** Rows and columns of tiles beside the base tile; absent if the picture is not tiled. */
  readonly grid?: Size;
  /** The resolution chosen for the tiles, in pixels; absent if the picture is not tiled. */
  readonly resolution?: Size;
}

/** The square around a picture: side max(width, height), the picture centred (rounded towards the top left). */
function squareCanvas(image: Image, colour: readonly number[]): Canvas | undefined {
  const side = Math.max(image.width, image.height);
  if (image.width === image.height) return undefined;
  const left = Math.floor((side - image.width) / 2);
  const top = Math.floor((side - image.height) / 2);
  return { width: side, height: side, left, top, colour };
}

/** [height, width] after resizing; the longer side is truncated, not rounded. */
function resizedSize([height, width]: Size, target: ImageProcessing["resize"]): Size {
  if (!target) return [height, width];
  if ("exact" in target) return target.exact;
  const edge = target.shortestEdge;
  return height <= width
    ? [edge, Math.trunc((edge * width) / height)]
    : [Math.trunc((edge * height) / width), edge];
}

/**
 * Pad to a square (`padded`), resize, crop the centre: CLIP's, SigLIP's and LLaVA-1.5's processing of one picture or of
 * one tile. Only the part that survives the crop is computed.
 */
function fit(image: Image, steps: ImageProcessing, padded: boolean): Image {
  const canvas = padded ? squareCanvas(image, steps.background) : undefined;
  const [height, width] = resizedSize(
    [canvas?.height ?? image.height, canvas?.width ?? image.width],
    steps.resize,
  );
  const [outHeight, outWidth] = steps.crop ?? [height, width];
  const top = Math.floor((height - outHeight) / 2);
  const left = Math.floor((width - outWidth) / 2);
  const window: Box = {
    left: Math.max(left, 0),
    top: Math.max(top, 0),
    width: Math.min(width, outWidth),
    height: Math.min(height, outHeight),
  };
  const part = resize(image, width, height, steps.filter, { window, canvas });
  return left >= 0 && top >= 0 ? part : cropImage(part, Math.min(left, 0), Math.min(top, 0), outWidth, outHeight);
}

/** [height, width] of the base tile before the crop: the target size, with the shortest edge taken for both sides. */
function squashedSize(steps: ImageProcessing): Size {
  if (!steps.resize) return outputSize(steps);
  return "exact" in steps.resize ? steps.resize.exact : [steps.resize.shortestEdge, steps.resize.shortestEdge];
}

/** What `cutTiles` gives: the base tile first, then the others row by row. */
interface Tiles {
  readonly tiles: Image[];
  readonly grid: Size;
  readonly resolution: Size;
}

/**
 * AnyRes: the picture scaled to fit the best resolution, centred on black, cut into square tiles row by row; before
 * them the base tile, the whole picture squashed to one tile.
 */
function cutTiles(image: Image, steps: ImageProcessing, tiling: Tiling): Tiles {
  const tile = outputSize(steps);
  const resolution = selectBestResolution([image.height, image.width], tiling.pinpoints);
  const [height, width] = fitInside([image.height, image.width], resolution);
  const scaled = resize(image, width, height, steps.filter);
  const top = Math.floor((resolution[0] - height) / 2);
  const left = Math.floor((resolution[1] - width) / 2);
  const grid = gridShape(resolution, tile);
  const base = squashedSize(steps);
  const tiles = [resize(image, base[1], base[0], steps.filter)];
  for (let row = 0; row < grid[0]; row++) {
    for (let column = 0; column < grid[1]; column++) {
      tiles.push(cropImage(scaled, column * tile[1] - left, row * tile[0] - top, tile[1], tile[0]));
    }
  }
  return { tiles: tiles.map((part) => fit(part, steps, false)), grid, resolution };
}

/**
 * The 256 values that a byte of channel `channel` can become, in the precision of transformers' numpy code: byte x
 * factor in double, rounded to single; then minus the mean and divided by the deviation, both in single.
 */
function lookup(steps: ImageProcessing, channel: number): Float32Array {
  const table = new Float32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    const value = steps.rescale === undefined ? byte : Math.fround(byte * steps.rescale);
    const { normalise } = steps;
    table[byte] = normalise
      ? Math.fround(value - Math.fround(normalise.mean[channel])) / Math.fround(normalise.std[channel])
      : value;
  }
  return table;
}

type Facts = Pick<ProcessedImage, "originalSize" | "grid" | "resolution">;

function assemble(parts: Image[], steps: ImageProcessing, facts: Facts): ProcessedImage {
  const { width, height } = parts[0];
  const area = width * height;
  const pixels = new Float32Array(parts.length * 3 * area);
  const bytes = new Uint8Array(parts.length * area * 3);
  const tables = [0, 1, 2].map((channel) => lookup(steps, channel));
  for (const [tile, part] of parts.entries()) {
    bytes.set(part.data, tile * area * 3);
    for (let channel = 0; channel < 3; channel++) {
      const table = tables[channel];
      const plane = (tile * 3 + channel) * area;
      for (let i = 0; i < area; i++) pixels[plane + i] = table[part.data[i * 3 + channel]];
    }
  }
  return { pixels, tiles: parts.length, channels: 3, height, width, bytes, ...facts };
}

/**
 * A picture as its vision tower takes it, equal to what transformers' PIL image processors give: CLIPImageProcessor,
 * LlavaImageProcessor, SiglipImageProcessor, LlavaNextImageProcessor, LlavaOnevisionImageProcessor, chosen by `steps`.
 * `several`: the prompt has more than one picture (OneVision then does not tile, but pads each to a square).
 */
export function processImage(source: Image, steps: ImageProcessing, several = false): ProcessedImage {
  const image = coverTransparent(source);
  const originalSize: Size = [image.height, image.width];
  const { tiling } = steps;
  if (tiling && !(several && tiling.several === "pad")) {
    const { tiles, grid, resolution } = cutTiles(image, steps, tiling);
    return assemble(tiles, steps, { originalSize, grid, resolution });
  }
  return assemble([fit(image, steps, steps.padToSquare || tiling !== undefined)], steps, { originalSize });
}

/** The frames of a video as one stack, [frames, channels, height, width]: each resized and cropped, never tiled. */
export function processVideo(frames: readonly Image[], steps: ImageProcessing): ProcessedImage {
  const parts = frames.map((frame) => fit(coverTransparent(frame), steps, false));
  return assemble(parts, steps, { originalSize: [frames[0].height, frames[0].width] });
}
