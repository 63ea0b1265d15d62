import { type Case, makeCase } from "../cases.ts";
import { KEEP_TEXT } from "./place-rows.reference.ts";

/** Text only, images only and both, at the widths of Qwen2-0.5B and Vicuna-7B; `from` image rows, none in one case. */
export const placeRowsCases: Case[] = [
  { count: 1, width: 1, from: 1, text: 0 },
  { count: 5, width: 7, from: 0, text: 1 },
  { count: 13, width: 37, from: 11, text: 0.5 },
  { count: 29, width: 896, from: 17, text: 0.3 },
  { count: 7, width: 4096, from: 5, text: 0.5 },
].map(({ from, text, ...params }) =>
  makeCase(
    params,
    1,
    (random) => ({
      text: random.normal(params.count * params.width),
      rows: random.normal(from * params.width),
      source: Uint32Array.from({ length: params.count }, () =>
        random.uniform() < text ? KEEP_TEXT : random.integer(from),
      ),
    }),
    { note: `from=${from} text=${text}` },
  ),
);
