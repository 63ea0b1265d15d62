/** From labelled pictures to the tables that a program of `TowerPrograms` reads. CPU only. */
import type { HostTensor } from "../generate/runtime.ts";
import { elements, shapeText } from "../graph/tensor.ts";
import type { VisionConfig } from "../models/config.ts";
import { IGNORED } from "../ops/index.ts";
import { BatchError } from "./training-batch.ts";

/** One label of a picture or of a part of it. */
export interface TowerTarget {
  readonly head: string;
  /** Which picture of the batch. */
  readonly picture: number;
  /** Rows that the connector reads of the picture, counted from 0: without a class token, its patches row by row. Absent: all. */
  readonly patches?: readonly number[];
  readonly label: number;
  /** What the cross entropy of this label counts in the loss. */
  readonly weight: number;
}

/** Labelled pictures. */
export interface TowerBatch {
  /** [B, C, S, S], normalised as the processor does it. */
  readonly pixels: HostTensor;
  readonly targets: readonly TowerTarget[];
}

/** Sizes that a program is compiled for. */
export interface TowerShape {
  readonly pictures: number;
  /** Heads that have targets. */
  readonly heads: readonly string[];
  /** Pooled rows of each of these heads, padding included. */
  readonly rows: number;
  /** Patches of a pooled row, padding included. */
  readonly taps: number;
  /** Pooled rows of a patch, padding included. */
  readonly uses: number;
}

/** What a training program reads, and the sizes that it is compiled for. */
export interface TowerInputs {
  readonly shape: TowerShape;
  /** By input name: see `traceTowerLoss`. */
  readonly values: Readonly<Record<string, Float32Array | Uint32Array>>;
}

/** What a batch must fit. */
export interface TowerSizes {
  readonly vision: VisionConfig;
  /** Rows of a picture that the connector reads. */
  readonly patches: number;
  /** Number of classes by head. */
  readonly heads: Readonly<Record<string, number>>;
}

/**
 * Lays out a batch. Every head has as many rows as the largest needs; that number and the widths of the tables are rounded
 * up to a few sizes, so that the steps of a run share their programs. Padding has the weight 0.
 *
 * @throws BatchError if pictures and targets do not fit together, or there is nothing to learn
 */
export function layOutTower({ pixels, targets }: TowerBatch, sizes: TowerSizes): TowerInputs {
  const pictures = checkPixels(pixels, sizes.vision);
  if (!Array.isArray(targets) || targets.length === 0) throw new BatchError("targets: expected at least one, got none");
  targets.forEach((target, i) => checkTarget(target, i, pictures, sizes));
  const heads = Object.keys(sizes.heads).filter((head) => targets.some((target) => target.head === head));
  const groups = heads.map((head) => targets.filter((target) => target.head === head));

  const rows = padded(Math.max(...groups.map(({ length }) => length)), 8);
  const all = Array.from({ length: sizes.patches }, (_, patch) => patch);
  const patchesOf = (target: TowerTarget) => target.patches ?? all;
  const taps = Math.min(sizes.patches, padded(Math.max(...targets.map((target) => patchesOf(target).length))));

  const pool = new Table(heads.length * rows, taps);
  const values: Record<string, Float32Array | Uint32Array> = { pixels: pixels.data, poolIndex: pool.index, poolWeight: pool.weight };
  const uses: [row: number, weight: number][][] = Array.from({ length: pictures * sizes.patches }, () => []);
  groups.forEach((group, h) => {
    const labels = new Uint32Array(rows).fill(IGNORED);
    const weights = new Float32Array(rows);
    group.forEach((target, i) => {
      const row = h * rows + i;
      const patches = patchesOf(target);
      patches.forEach((patch, t) => {
        const feature = target.picture * sizes.patches + patch;
        pool.set(row, t, feature, 1 / patches.length);
        uses[feature]!.push([row, 1 / patches.length]);
      });
      labels[i] = target.label;
      weights[i] = target.weight;
    });
    values[`labels ${heads[h]}`] = labels;
    values[`weight ${heads[h]}`] = weights;
  });

  const most = padded(Math.max(...uses.map(({ length }) => length)));
  const spread = new Table(uses.length, most);
  uses.forEach((list, feature) => list.forEach(([row, weight], t) => spread.set(feature, t, row, weight)));
  return { shape: { pictures, heads, rows, taps, uses: most }, values: { ...values, spreadIndex: spread.index, spreadWeight: spread.weight } };
}

/** The tables that pool all patches of every picture. Throws `BatchError`. */
export function layOutPictures(pixels: HostTensor, { vision, patches }: TowerSizes): { pictures: number; values: Record<string, Float32Array | Uint32Array> } {
  const pictures = checkPixels(pixels, vision);
  const index = Uint32Array.from({ length: pictures * patches }, (_, row) => row);
  return { pictures, values: { pixels: pixels.data, poolIndex: index, poolWeight: new Float32Array(index.length).fill(1 / patches) } };
}

/** A table for `mixRows`, of zeros at first. */
class Table {
  readonly index: Uint32Array;
  readonly weight: Float32Array;

  constructor(
    rows: number,
    private readonly taps: number,
  ) {
    this.index = new Uint32Array(rows * taps);
    this.weight = new Float32Array(rows * taps);
  }

  set(row: number, tap: number, from: number, weight: number): void {
    this.index[row * this.taps + tap] = from;
    this.weight[row * this.taps + tap] = weight;
  }
}

/** The smallest of 1, 2, 3, 4, 6, 8, 12, 16, 24, ... that is at least `count` and `least`. */
function padded(count: number, least = 1): number {
  const power = 2 ** Math.ceil(Math.log2(Math.max(count, least)));
  return 0.75 * power >= Math.max(count, least) && power >= 4 ? 0.75 * power : power;
}

/** Returns how many pictures there are. Throws `BatchError`. */
function checkPixels(pixels: HostTensor, { channels, imageSize }: VisionConfig): number {
  const { shape, data } = pixels ?? {};
  const wanted = [channels, imageSize, imageSize];
  const fits = Array.isArray(shape) && shape.length === 4 && shape[0]! >= 1 && shape.slice(1).join() === wanted.join();
  if (!fits) throw new BatchError(`pixels: expected shape [B, ${wanted.join(", ")}], got ${Array.isArray(shape) ? shapeText(shape) : String(shape)}`);
  if (!(data instanceof Float32Array) || data.length !== elements(shape)) {
    throw new BatchError(`pixels: expected a Float32Array of ${elements(shape)} values for shape ${shapeText(shape)}, got ${data?.length ?? "none"}`);
  }
  return shape[0]!;
}

function checkTarget({ head, picture, patches, label, weight }: TowerTarget, at: number, pictures: number, sizes: TowerSizes): void {
  const expected = (name: string, what: string, got: unknown) => new BatchError(`targets[${at}].${name}: expected ${what}, got ${String(got)}`);
  const below = (value: number, limit: number) => Number.isInteger(value) && value >= 0 && value < limit;
  const classes = Object.hasOwn(sizes.heads, head) ? sizes.heads[head]! : undefined;
  if (classes === undefined) throw expected("head", `one of ${Object.keys(sizes.heads).join(", ")}`, head);
  if (!below(picture, pictures)) throw expected("picture", `an integer from 0 to ${pictures - 1}`, picture);
  if (!below(label, classes)) throw expected("label", `an integer from 0 to ${classes - 1}, a class of ${head}`, label);
  if (!(Number.isFinite(weight) && weight >= 0)) throw expected("weight", "a number of at least 0", weight);
  if (patches === undefined) return;
  if (!Array.isArray(patches) || patches.length === 0) throw expected("patches", "at least one patch", Array.isArray(patches) ? "none" : patches);
  const wrong = patches.find((patch) => !below(patch, sizes.patches));
  if (wrong !== undefined) throw expected("patches", `integers from 0 to ${sizes.patches - 1}`, wrong);
  if (new Set(patches).size !== patches.length) throw expected("patches", "every patch once", patches.join(", "));
}
