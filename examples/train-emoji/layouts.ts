/** Where drawings lie in a picture made of several. */
import type { Random } from "llava-webgpu/train";
import { pick, pickWeighted, shuffled } from "./lots.ts";

/** A grid, and what its cells are called, row by row; grids of more than four cells have no names. */
export interface Layout {
  readonly columns: number;
  readonly rows: number;
  readonly places: readonly string[];
}

const corners = ["in the top left", "in the top right", "in the bottom left", "in the bottom right"];

/** Columns x rows. */
export const layouts = {
  "1x2": { columns: 1, rows: 2, places: ["at the top", "at the bottom"] },
  "2x1": { columns: 2, rows: 1, places: ["on the left", "on the right"] },
  "2x2": { columns: 2, rows: 2, places: corners },
  "3x2": { columns: 3, rows: 2, places: [] },
  "2x3": { columns: 2, rows: 3, places: [] },
  "3x3": { columns: 3, rows: 3, places: [] },
} as const satisfies Record<string, Layout>;

export type LayoutName = keyof typeof layouts;

/** Which cells of a layout are taken. */
export interface Arrangement {
  readonly layout: LayoutName;
  /** Cell numbers, row by row, ascending. */
  readonly cells: readonly number[];
}

/** A random layout for 2 to 9 drawings. */
export function arrange(count: number, random: Random): Arrangement {
  const layout = layoutOf(count, random);
  const { columns, rows } = layouts[layout];
  const all = Array.from({ length: columns * rows }, (_, i) => i);
  return { layout, cells: shuffled(random, all).slice(0, count).sort((a, b) => a - b) };
}

function layoutOf(count: number, random: Random): LayoutName {
  if (count <= 2) return pickWeighted(random, [["1x2", 0.3], ["2x1", 0.4], ["2x2", 0.3]]);
  if (count <= 4) return "2x2";
  return count <= 6 ? pickWeighted(random, [["3x2", 0.7], ["2x3", 0.3]]) : "3x3";
}

/** The cells of a layout that hold nothing. */
export function emptyCells({ layout, cells }: Arrangement): number[] {
  const { columns, rows } = layouts[layout];
  return Array.from({ length: columns * rows }, (_, i) => i).filter((cell) => !cells.includes(cell));
}

/** One of the four corners but this one. */
export function otherCorner(corner: number, random: Random): number {
  return pick(random, [0, 1, 2, 3].filter((cell) => cell !== corner));
}
