/** From a batch as Hugging Face's processors give it to the inputs of a training program. CPU only. */
import { elements } from "../graph/tensor.ts";
import type { RowTable } from "../input/pack.ts";
import { joinTiles } from "../input/tiles.ts";
import { IGNORED, TEXT } from "../ops/index.ts";
import type { Trainable } from "./trainable.ts";
import { BatchError, checkBatch, type TrainingBatch } from "./training-batch.ts";

/** How a picture is cut into tiles and its features into rows. */
export interface PictureLayout {
  readonly tiles: number;
  readonly table: RowTable;
}

/** What a training program reads, and the sizes that it is compiled for. */
export interface TrainingInputs {
  readonly samples: number;
  /** Tokens of a sample, padding included. */
  readonly length: number;
  readonly tiles: number;
  /** Image rows of all pictures; 0 without pictures. */
  readonly rows: number;
  /** Positions that learn. */
  readonly learning: number;
  /** The sample of each of them, in the order of their losses. */
  readonly learners: readonly number[];
  /** Rows that go through the head: the positions that learn, and padding up to one of a few sizes. */
  readonly headRows: number;
  /** By input name: see `traceLoss`. Without `weight`, which depends on the normalisation. */
  readonly values: Readonly<Record<string, Float32Array | Uint32Array>>;
  /** Widths of the tables, which programs are compiled for. */
  readonly taps: Readonly<Record<"pack" | "unpack" | "newlines", number>>;
}

/**
 * Lays out a batch as the model's preparer cuts its pictures.
 *
 * @throws BatchError as `checkBatch` and `layOutBatch`
 */
export async function layOut(batch: TrainingBatch, { loaded, preparer }: Trainable["parts"]): Promise<TrainingInputs> {
  checkBatch(batch, loaded.config);
  const layouts: PictureLayout[] = [];
  const pictures = batch.pixelValues?.shape[0] ?? 0;
  const perSample = batch.imagesPerSample ?? [];
  const siblings = perSample.flatMap((count) => Array.from({ length: count }, () => count));
  const { imageSize } = loaded.config.vision ?? { imageSize: 0 };
  for (let i = 0; i < pictures; i++) {
    layouts.push(await preparer.layout(batch.imageSizes?.[i] ?? [imageSize, imageSize], siblings[i] ?? 1));
  }
  return layOutBatch(batch, layouts, loaded.model.rowsPerTile, loaded.config.imageToken);
}

/**
 * Lays out a checked batch. Labels are shifted here: position t learns the label of t + 1.
 *
 * @param layouts of every picture, in order
 * @param rowsPerTile rows that the tower and projector give for a tile
 * @throws BatchError if there is not one image token for each row of the pictures
 */
export function layOutBatch(batch: TrainingBatch, layouts: readonly PictureLayout[], rowsPerTile: number, imageToken: number): TrainingInputs {
  const { inputIds, labels } = batch;
  const samples = inputIds.length;
  const length = Math.max(...inputIds.map((row) => row.length));
  const rows = layouts.reduce((sum, { table }) => sum + table.rows, 0);

  const ids = new Uint32Array(samples * length);
  const positions: number[] = [];
  const targets: number[] = [];
  const source = new Uint32Array(samples * length).fill(TEXT);
  const rowIndex = new Uint32Array(rows);
  let next = 0;
  inputIds.forEach((row, b) => {
    row.forEach((id, t) => {
      const at = b * length + t;
      ids[at] = id;
      if (id === imageToken) {
        if (next < rows) rowIndex[next] = at;
        source[at] = next++;
      }
      const target = labels[b]![t + 1];
      const masked = batch.attentionMask?.[b]?.[t + 1] === 0;
      if (target === undefined || target < 0 || masked) return;
      positions.push(at);
      targets.push(target);
    });
  });
  if (rows === 0 && next > 0) throw new BatchError(`batch.pixelValues: expected pictures for the batch's ${next} image tokens, got none`);
  if (next !== rows) throw new BatchError(`batch: expected ${rows} image tokens for its pictures, got ${next}; check input ids and picture sizes`);

  const tables = joinTables(layouts, rowsPerTile);
  return {
    samples,
    length,
    tiles: layouts.reduce((sum, { tiles }) => sum + tiles, 0),
    rows,
    learning: positions.length,
    learners: positions.map((at) => Math.floor(at / length)),
    headRows: headRowsFor(positions.length),
    values: {
      ids,
      ...headTables(positions, targets, samples * length),
      ...(rows > 0
        ? {
            source,
            pixels: realTiles(batch, layouts),
            textIndex: Uint32Array.from(ids.keys()),
            textWeight: Float32Array.from(source, (row) => (row === TEXT ? 1 : 0)),
            rowIndex,
            rowWeight: new Float32Array(rows).fill(1),
            ...tables.values,
          }
        : {}),
    },
    taps: tables.taps,
  };
}

/** Few sizes, at most a quarter above what is needed, so that batches share their programs. */
function headRowsFor(learning: number): number {
  const unit = Math.max(16, 2 ** (Math.ceil(Math.log2(Math.max(1, learning))) - 3));
  return unit * Math.max(1, Math.ceil(learning / unit));
}

/** Labels of the rows that go through the head, the table that gathers these rows, and its transpose for the gradients. */
function headTables(positions: readonly number[], targets: readonly number[], count: number) {
  const rows = headRowsFor(positions.length);
  const labels = new Uint32Array(rows).fill(IGNORED);
  const headIndex = new Uint32Array(rows);
  const headWeight = new Float32Array(rows);
  const spreadIndex = new Uint32Array(count);
  const spreadWeight = new Float32Array(count);
  labels.set(targets);
  headIndex.set(positions);
  headWeight.fill(1, 0, positions.length);
  positions.forEach((at, row) => {
    spreadIndex[at] = row;
    spreadWeight[at] = 1;
  });
  return { labels, headIndex, headWeight, spreadIndex, spreadWeight };
}

/** What every row of the head counts, for a step's micro-batches: see `TrainerOptions.normalise`. */
export function tokenWeights(inputs: readonly TrainingInputs[], normalise: "tokens" | "microbatch"): Float32Array[] {
  const all = inputs.reduce((sum, { learning }) => sum + learning, 0);
  return inputs.map(({ headRows, learning }) => {
    const count = normalise === "microbatch" ? inputs.length * Math.max(1, learning) : Math.max(1, all);
    return new Float32Array(headRows).fill(1 / count);
  });
}

/** The pixels of the tiles that are no padding, [tiles, 3, S, S]. */
function realTiles({ pixelValues }: TrainingBatch, layouts: readonly PictureLayout[]): Float32Array {
  const shape = pixelValues!.shape;
  const perPicture = shape.length === 5 ? shape[1]! : 1;
  const tileSize = elements(shape.slice(-3));
  const pictures = layouts.map(({ tiles }, i) => {
    if (tiles > perPicture) throw new BatchError(`batch: picture ${i} has ${tiles} tiles by its size, pixelValues ${shape.join(" x ")} hold ${perPicture}`);
    return pixelValues!.data.subarray(i * perPicture * tileSize, (i * perPicture + tiles) * tileSize);
  });
  return joinTiles(pictures);
}

/**
 * One table for all pictures, and its transposes for the gradients. Newlines are kept apart: one learned row gets the
 * gradients of many, and would make every row of the transposed table as long.
 */
function joinTables(layouts: readonly PictureLayout[], rowsPerTile: number) {
  const taps = Math.max(1, ...layouts.map(({ table }) => table.taps));
  const rows = layouts.reduce((sum, { table }) => sum + table.rows, 0);
  const features = rowsPerTile * layouts.reduce((sum, { tiles }) => sum + tiles, 0);
  const index = new Uint32Array(rows * taps);
  const weight = new Float32Array(rows * taps);
  const isNewline = new Float32Array(rows);
  const uses: [row: number, weight: number][][] = Array.from({ length: features }, () => []);
  const newlines: number[] = [];
  let row = 0;
  let first = 0;
  for (const { table, tiles } of layouts) {
    for (let r = 0; r < table.rows; r++, row++) {
      if (table.index[r * table.taps] === 0) {
        isNewline[row] = 1;
        newlines.push(row);
        continue;
      }
      for (let t = 0; t < table.taps; t++) {
        const share = table.weight[r * table.taps + t]!;
        const feature = first + table.index[r * table.taps + t]! - 1;
        index[row * taps + t] = feature;
        weight[row * taps + t] = share;
        if (share !== 0) uses[feature]!.push([row, share]);
      }
    }
    first += tiles * rowsPerTile;
  }
  const back = Math.max(1, ...uses.map((list) => list.length));
  const backIndex = new Uint32Array(features * back);
  const backWeight = new Float32Array(features * back);
  uses.forEach((list, feature) =>
    list.forEach(([from, share], t) => {
      backIndex[feature * back + t] = from;
      backWeight[feature * back + t] = share;
    }),
  );
  return {
    taps: { pack: taps, unpack: back, newlines: newlines.length },
    values: {
      packIndex: index,
      packWeight: weight,
      unpackIndex: backIndex,
      unpackWeight: backWeight,
      ...(newlines.length > 0
        ? {
            newlineIndex: new Uint32Array(rows),
            newlineWeight: isNewline,
            newlineRows: Uint32Array.from(newlines),
            newlineOnes: new Float32Array(newlines.length).fill(1),
          }
        : {}),
    },
  };
}
