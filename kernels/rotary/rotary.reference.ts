import type { HostArrays, Params } from "../kernel.ts";
import { startingFrom } from "../output.ts";

/** What `rotary` is told: sizes, strides and offsets in elements, `yRow` and `position` in rows. */
export type RotaryParam =
  | "rows"
  | "heads"
  | "headSize"
  | "xStride"
  | "xOffset"
  | "yStride"
  | "yOffset"
  | "yRow"
  | "position"
  | "sequence"
  | "inverse";

/**
 * Rotates every pair (j, j + headSize / 2) of every head by the angle of its row's position, by its negative if
 * `inverse`; see rotary.wgsl.
 */
export function rotaryReference(
  { x, table, y: before }: HostArrays<"x" | "table"> & Partial<HostArrays<"y">>,
  params: Params<RotaryParam>,
): HostArrays<"y"> {
  const { rows, heads, headSize, xStride, xOffset, yStride, yOffset, yRow, position, sequence, inverse } = params;
  const half = headSize / 2;
  const y = startingFrom(before, (yRow + rows) * yStride);
  for (let r = 0; r < rows; r++) {
    for (let h = 0; h < heads; h++) {
      for (let j = 0; j < half; j++) {
        const angle = (position + (r % sequence)) * headSize + j;
        const [cosine, sine] = [table[angle]!, inverse ? -table[angle + half]! : table[angle + half]!];
        const from = r * xStride + xOffset + h * headSize + j;
        const [first, second] = [x[from]!, x[from + half]!];
        const to = (yRow + r) * yStride + yOffset + h * headSize + j;
        y[to] = first * cosine - second * sine;
        y[to + half] = second * cosine + first * sine;
      }
    }
  }
  return { y };
}
