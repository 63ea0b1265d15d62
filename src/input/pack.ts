import { downscaledSize, unpad } from "./anyres.ts";
import type { Size, Unpadded } from "./anyres.ts";

/**
 * How the features of one picture become the rows that stand for it in the prompt, as data for the GPU:
 * row r of the result is the sum over t of weight[r taps + t] * source(index[r taps + t]), where source(0) is the
 * newline embedding and source(k), k >= 1, is feature row k - 1 of the picture's tiles, flattened as
 * [tiles x side x side, width] with the base tile first. Without a newline in the model 0 never occurs. A tap that is
 * not needed has weight 0 and a valid index.
 */
export interface RowTable {
  readonly rows: number;
  readonly taps: 1 | 4;
  /** [rows x taps] */
  readonly index: Uint32Array;
  /** [rows x taps] */
  readonly weight: Float32Array;
}

/** Tiling of one picture, as the packing sees it. */
export interface PackOptions {
  /** Features on a side of one tile: floor(image size / patch size). */
  readonly side: number;
  /** Rows and columns of tiles beside the base tile; absent: the base tile is all there is. */
  readonly grid?: Size;
  /** Size of the picture in pixels, to remove the padding; absent: the padding stays ("spatial" merge). */
  readonly originalSize?: Size;
  /** The model has an image newline: one after every row of the map (with only a base tile: one at the end). */
  readonly newline: boolean;
  /** k of OneVision's `anyres_max_k`: larger maps are scaled down. */
  readonly maxTiles?: number;
}

/** The map that the tiles form: all of it, the part kept, and the size to which that part is scaled. */
interface TileMap {
  readonly grid: Size;
  readonly kept: Unpadded;
  readonly size: Size;
}

function tileMap({ side, grid, originalSize, maxTiles }: PackOptions): TileMap | undefined {
  if (!grid) return undefined;
  const whole: Size = [grid[0] * side, grid[1] * side];
  const kept = originalSize ? unpad(whole, originalSize) : { top: 0, left: 0, height: whole[0], width: whole[1] };
  const size: Size = [kept.height, kept.width];
  return { grid, kept, size: maxTiles === undefined ? size : downscaledSize(size, side, maxTiles) };
}

/** How many image tokens a picture takes: side² for the base tile, then the map, then its newlines. */
export function countImageTokens(options: PackOptions): number {
  const map = tileMap(options);
  const base = options.side * options.side;
  if (!map) return base + (options.newline ? 1 : 0);
  const [height, width] = map.size;
  return base + height * width + (options.newline ? height : 0);
}

class TableWriter {
  readonly table: RowTable;
  #at = 0;

  constructor(rows: number, taps: 1 | 4) {
    this.table = { rows, taps, index: new Uint32Array(rows * taps), weight: new Float32Array(rows * taps) };
  }

  /** One row from one source: 0 for the newline, k for feature row k - 1. */
  copy(source: number): void {
    const { index, weight, taps } = this.table;
    index.fill(source, this.#at, this.#at + taps);
    weight[this.#at] = 1;
    this.#at += taps;
  }

  /** One row from four sources. */
  mix(sources: readonly number[], weights: readonly number[]): void {
    this.table.index.set(sources, this.#at);
    this.table.weight.set(weights, this.#at);
    this.#at += 4;
  }
}

/** Row r is feature row r: plain LLaVA, or all tiles one after the other ("flat" merge). */
export function identityTable(rows: number): RowTable {
  const writer = new TableWriter(rows, 1);
  for (let row = 0; row < rows; row++) writer.copy(row + 1);
  return writer.table;
}

/** The two source positions of a bilinear sample and the weight of the second. */
interface Sample {
  readonly low: number;
  readonly high: number;
  readonly fraction: number;
}

/** PyTorch's `interpolate(mode="bilinear", align_corners=False)` along one axis, in single precision as there. */
function samples(length: number, size: number): Sample[] {
  const scale = Math.fround(length / size);
  return Array.from({ length: size }, (_, out) => {
    const position = Math.max(0, Math.fround(Math.fround(scale * (out + 0.5)) - 0.5));
    const low = Math.min(Math.floor(position), length - 1);
    return { low, high: Math.min(low + 1, length - 1), fraction: Math.fround(position - low) };
  });
}

function bilinear(y: Sample, x: Sample): number[] {
  return [
    (1 - y.fraction) * (1 - x.fraction),
    (1 - y.fraction) * x.fraction,
    y.fraction * (1 - x.fraction),
    y.fraction * x.fraction,
  ];
}

/**
 * The packing of LLaVA-NeXT and OneVision ("spatial_unpad"): the base tile's rows; then the tiles put together as one
 * map, without its padding, scaled down bilinearly if `maxTiles` asks for it, each row followed by the newline.
 * Four taps only where something is scaled.
 */
export function packTable(options: PackOptions): RowTable {
  const { side, newline } = options;
  const map = tileMap(options);
  const scaled = map !== undefined && (map.size[0] !== map.kept.height || map.size[1] !== map.kept.width);
  const writer = new TableWriter(countImageTokens(options), scaled ? 4 : 1);
  for (let row = 0; row < side * side; row++) writer.copy(row + 1);
  if (!map) {
    if (newline) writer.copy(0);
    return writer.table;
  }
  const { grid, kept, size } = map;
  const source = (y: number, x: number) => {
    const tile = 1 + Math.floor((kept.top + y) / side) * grid[1] + Math.floor((kept.left + x) / side);
    return 1 + (tile * side + ((kept.top + y) % side)) * side + ((kept.left + x) % side);
  };
  const down = samples(kept.height, size[0]);
  const across = samples(kept.width, size[1]);
  for (const y of down) {
    for (const x of across) {
      if (!scaled) writer.copy(source(y.low, x.low));
      else {
        const sources = [source(y.low, x.low), source(y.low, x.high), source(y.high, x.low), source(y.high, x.high)];
        writer.mix(sources, bilinear(y, x));
      }
    }
    if (newline) writer.copy(0);
  }
  return writer.table;
}

/** Where OneVision and LLaVA-Video put the newline among pooled frames. */
export type VideoNewline = "one_token" | "frame" | "grid" | "no_token";

/**
 * OneVision's video: each frame of side x side features scaled bilinearly to ceil(side / 2) squared, then the newline
 * once at the end ("one_token"), after each frame, after each row of a frame ("grid"), or never. Frames take the place
 * of tiles in the source.
 */
export function pooledVideoTable(frames: number, side: number, newline: VideoNewline): RowTable {
  const pooled = Math.ceil(side / 2);
  const newlines = { one_token: 1, frame: frames, grid: frames * pooled, no_token: 0 }[newline];
  const writer = new TableWriter(frames * pooled * pooled + newlines, 4);
  const axis = samples(side, pooled);
  for (let frame = 0; frame < frames; frame++) {
    const source = (y: number, x: number) => 1 + (frame * side + y) * side + x;
    for (const y of axis) {
      for (const x of axis) {
        const sources = [source(y.low, x.low), source(y.low, x.high), source(y.high, x.low), source(y.high, x.high)];
        writer.mix(sources, bilinear(y, x));
      }
      if (newline === "grid") writer.copy(0);
    }
    if (newline === "frame") writer.copy(0);
  }
  if (newline === "one_token") writer.copy(0);
  return writer.table;
}

/**
 * LLaVA-NeXT-Video: each frame of side x side features averaged over blocks of 2 x 2 (an odd last row or column is
 * dropped, as PyTorch's AvgPool2d does), no newline.
 */
export function averagedVideoTable(frames: number, side: number): RowTable {
  const pooled = Math.floor(side / 2);
  const writer = new TableWriter(frames * pooled * pooled, 4);
  for (let frame = 0; frame < frames; frame++) {
    for (let y = 0; y < pooled; y++) {
      for (let x = 0; x < pooled; x++) {
        const first = 1 + (frame * side + 2 * y) * side + 2 * x;
        writer.mix([first, first + 1, first + side, first + side + 1], [0.25, 0.25, 0.25, 0.25]);
      }
    }
  }
  return writer.table;
}
