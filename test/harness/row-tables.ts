/** Tables for `mixRows`, computed plainly, and their transposes. */

/** Row r is Σ_t weight[r, t] · source[index[r, t]]. */
export interface RowMixValues {
  readonly rows: number;
  readonly taps: number;
  /** [rows, taps] */
  readonly index: Uint32Array;
  /** [rows, taps] */
  readonly weight: Float32Array;
}

type Tap = readonly [source: number, weight: number];

/** A table of the given taps; rows with fewer than the longest are filled with weight 0. */
export function rowTable(uses: readonly (readonly Tap[])[]): RowMixValues {
  const taps = Math.max(1, ...uses.map((list) => list.length));
  const index = new Uint32Array(uses.length * taps);
  const weight = new Float32Array(uses.length * taps);
  uses.forEach((list, row) =>
    list.forEach(([source, share], t) => {
      index[row * taps + t] = source;
      weight[row * taps + t] = share;
    }),
  );
  return { rows: uses.length, taps, index, weight };
}

/** The table of the transposed map, from `table.rows` rows back to `sources` rows. */
export function transposedTable({ rows, taps, index, weight }: RowMixValues, sources: number): RowMixValues {
  const uses: Tap[][] = Array.from({ length: sources }, () => []);
  for (let row = 0; row < rows; row++) {
    for (let t = row * taps; t < (row + 1) * taps; t++) if (weight[t] !== 0) uses[index[t]!]!.push([row, weight[t]!]);
  }
  return rowTable(uses);
}

/** The taps of an output position along one axis. */
type Axis = readonly (readonly Tap[])[];

/** Both axes of `batch` maps of height x width, row-major. */
function separable(batch: number, height: number, width: number, down: Axis, across: Axis): RowMixValues {
  const uses: Tap[][] = [];
  for (let b = 0; b < batch; b++) {
    for (const ys of down) {
      for (const xs of across) {
        uses.push(ys.flatMap(([y, a]) => xs.map(([x, c]) => [(b * height + y) * width + x, a * c] as const)));
      }
    }
  }
  return rowTable(uses);
}

/** Bilinear resizing as PyTorch's `interpolate` does it with align_corners=False and without antialiasing. */
export function bilinearTable(batch: number, from: readonly [number, number], to: readonly [number, number]): RowMixValues {
  const axis = (length: number, size: number): Axis =>
    Array.from({ length: size }, (_, out) => {
      const position = Math.max(0, ((out + 0.5) * length) / size - 0.5);
      const low = Math.min(Math.floor(position), length - 1);
      return [[low, 1 - (position - low)], [Math.min(low + 1, length - 1), position - low]];
    });
  return separable(batch, from[0], from[1], axis(from[0], to[0]), axis(from[1], to[1]));
}

/** The mean over blocks of window x window; what does not fill a block is dropped. */
export function averagePoolTable(batch: number, from: readonly [number, number], window: number): RowMixValues {
  const axis = (length: number): Axis =>
    Array.from({ length: Math.floor(length / window) }, (_, out) =>
      Array.from({ length: window }, (_, i) => [out * window + i, 1 / window] as const),
    );
  return separable(batch, from[0], from[1], axis(from[0]), axis(from[1]));
}
