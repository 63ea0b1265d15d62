import type { HostArrays, Params } from "../kernel.ts";

/** The entry of `source` that keeps the text row. */
export const KEEP_TEXT = 0xffffffff;

/** y[i, c] = source[i] is `KEEP_TEXT` ? text[i, c] : rows[source[i], c]. */
export function placeRowsReference(
  { text, rows, source }: HostArrays<"text" | "rows" | "source">,
  { count, width }: Params<"count" | "width">,
): HostArrays<"y"> {
  const y = new Float32Array(count * width);
  for (let i = 0; i < count; i++) {
    const row = source[i]!;
    for (let c = 0; c < width; c++) {
      y[i * width + c] = row === KEEP_TEXT ? text[i * width + c]! : rows[row * width + c]!;
    }
  }
  return { y };
}
