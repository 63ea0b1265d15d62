import { family, kernel } from "../kernel.ts";
import { placeRowsReference } from "./place-rows.reference.ts";
import code from "./place-rows.wgsl?raw";

export { KEEP_TEXT } from "./place-rows.reference.ts";

/**
 * Replaces rows of a sequence: text [count, width], rows [any, width], source [count] (u32: a row of `rows`, or
 * `KEEP_TEXT`) -> y [count, width].
 */
export const placeRows = family({
  name: "place-rows",
  variants: [
    kernel({
      name: "place-rows",
      code,
      read: ["text", "rows", "source"],
      write: ["y"],
      params: ["count", "width"],
      needs: [],
      groups: ({ count, width }) => Math.ceil((count * width) / 64),
    }),
  ],
  reference: placeRowsReference,
  cost: ({ count, width }) => ({ flops: 0, bytes: 4 * count + 8 * count * width }),
});
