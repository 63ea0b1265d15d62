/** Tables, and the numbers in them. */
import type { KernelShare } from "./records.ts";

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Aligned columns; the first column to the left, the others to the right. */
export function plainTable({ title, head, rows }: Table): string {
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join("  ").trimEnd();
  return [title, line(head), ...rows.map(line)].join("\n");
}

export function markdownTable({ title, head, rows }: Table): string {
  const line = (row: readonly string[]): string => `| ${row.join(" | ")} |`;
  return [`### ${title}`, "", line(head), line(head.map((_, column) => (column === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}

/** Three significant digits, without an exponent. */
export function short(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 6));
}

export const giga = (value: number): string => short(value / 1e9);
export const percent = (value: number): string => `${short(100 * value)} %`;

/** What the kernels of something take of `all` milliseconds, each timed alone. */
export function shareTable(what: string, byKernel: readonly KernelShare[], all: number): Table {
  return {
    title: `Kernels of ${what}`,
    head: ["kernel", "dispatches", "ms", "share"],
    rows: byKernel.map(({ kernel, dispatches, time }) => [kernel, `${dispatches}`, short(time), percent(time / all)]),
  };
}
