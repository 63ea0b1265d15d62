/** What moves and mixes rows of features, traced from our ops. */
import { packTable } from "../../../src/input/pack.ts";
import * as ops from "../../../src/ops/index.ts";
import { layOutBatch } from "../../../src/train/batch.ts";
import type { OperatorCase } from "../operator-goldens.ts";
import { averagePoolTable, bilinearTable, type RowMixValues, rowTable, transposedTable } from "../row-tables.ts";
import type { Sketch } from "../sketch.ts";
import { input, swap, swapBack, type Trace, weight } from "./traced.ts";

/** The two inputs of a table. */
const tableInputs = (sketch: Sketch, name: string, { rows, taps, index, weight: shares }: RowMixValues): ops.RowMix => ({
  index: sketch.constant(`${name} index`, [rows, taps], index),
  weight: sketch.constant(`${name} weight`, [rows, taps], shares),
});

/** A map of features [batch, channels, height, width] as rows [batch · height · width, channels], mixed by a table. */
const featureMap = (table: (batch: number, golden: OperatorCase) => RowMixValues): Trace => (sketch, golden) => {
  const [batch, channels, height, width] = golden.shape("x") as [number, number, number, number];
  const flat = [batch, channels, height * width, 1];
  const [, , outHeight, outWidth] = golden.shape("y") as [number, number, number, number];
  const out = [batch, channels, outHeight * outWidth, 1];
  const x = sketch.input("x", [batch * height * width, channels], swap(golden.floats("input.x"), flat));
  const mix = table(batch, golden);
  const forth = tableInputs(sketch, "table", mix);
  return {
    y: ops.mixRows(x, forth.index, forth.weight, tableInputs(sketch, "transposed", transposedTable(mix, x.rows))),
    upstream: swap(golden.floats("upstream.y"), out),
    results: ({ y, gradients }) => ({ y: swapBack(y, out), x: swapBack(gradients.x!, flat) }),
  };
};

const sides = (shape: readonly number[]) => shape.slice(-2) as [number, number];
export const bilinear = featureMap((batch, golden) => bilinearTable(batch, sides(golden.shape("x")), sides(golden.shape("y"))));
export const averagePool = featureMap((batch, golden) => averagePoolTable(batch, sides(golden.shape("x")), golden.attributes.window!));

/** Image rows in order take the places of the image tokens. */
export const mergeImageRows: Trace = (sketch, golden) => {
  const [batch, tokens, width] = golden.shape("embeddings") as [number, number, number];
  const isImage = golden.integers("is_image");
  const places = Array.from(isImage.keys()).filter((row) => isImage[row] === 1);
  const source = new Uint32Array(isImage.length).fill(ops.TEXT);
  places.forEach((row, i) => (source[row] = i));
  const text = input(sketch, golden, "embeddings", [batch * tokens, width]);
  const inverse = {
    text: tableInputs(sketch, "text", rowTable(Array.from(isImage, (image, row) => [[row, image ? 0 : 1]]))),
    rows: tableInputs(sketch, "rows", rowTable(places.map((row) => [[row, 1]]))),
  };
  return { y: ops.placeRows(text, input(sketch, golden, "features"), sketch.constant("source", [source.length], source), inverse) };
};

/** The rows of a picture with a newline behind every row of its map, by the tables of the data layer. */
export const packAnyres: Trace = async (sketch, golden) => {
  const { rows: down, columns, top, left, map: side } = golden.attributes as Record<string, number>;
  const [tiles, area, width] = golden.shape("features") as [number, number, number];
  // A picture as wide and high as the part of the map that is kept.
  const originalSize = [(down! * side! - 2 * top!) * 100, (columns! * side! - 2 * left!) * 100] as const;
  const table = packTable({ side: side!, grid: [down!, columns!], originalSize, newline: true });
  const batch = {
    inputIds: [Array.from({ length: table.rows }, () => 1)],
    labels: [Array.from({ length: table.rows }, () => -100)],
    pixelValues: { shape: [1, tiles, 1, 1, 1], data: new Float32Array(tiles) },
  };
  const { values, taps } = layOutBatch(batch, [{ tiles, table }], area, 1);
  const mix = (name: string, rows: number, count: number): ops.RowMix => ({
    index: sketch.constant(`${name}Index`, [rows, count], values[`${name}Index`]!),
    weight: sketch.constant(`${name}Weight`, [rows, count], values[`${name}Weight`]!),
  });
  const features = input(sketch, golden, "features", [tiles * area, width]);
  const pack = mix("pack", table.rows, taps.pack);
  const packed = ops.mixRows(features, pack.index, pack.weight, mix("unpack", features.rows, taps.unpack));
  const newline = mix("newline", table.rows, 1);
  const lines = {
    index: sketch.constant("newlineRows", [1, taps.newlines], values.newlineRows!),
    weight: sketch.constant("newlineOnes", [1, taps.newlines], values.newlineOnes!),
  };
  const row = ops.parameterRow(sketch.graph, await weight(sketch, golden, "newline"));
  return { y: ops.add(packed, ops.mixRows(row, newline.index, newline.weight, lines)) };
};
