import type { Params } from "../kernel.ts";

/** The keys [first, last) that a query sees: all, or, if causal, the last `window` (0: all) up to position + query. */
export function visibleKeys(
  query: number,
  { keys, position, causal, window }: { keys: number; position: number; causal: number; window: number },
): { first: number; last: number } {
  if (!causal) return { first: 0, last: keys };
  const horizon = position + query + 1;
  const last = Math.min(keys, horizon);
  return { first: window > 0 ? Math.min(last, Math.max(0, horizon - window)) : 0, last };
}

/** How many pairs of a query and a key it sees there are in all heads, from the average reach of a query. */
export function visiblePairs({ batch, heads, queries, keys, position, causal, window }: Params<
  "batch" | "heads" | "queries" | "keys" | "position" | "causal" | "window"
>): number {
  const reach = causal ? Math.min(keys, position + (queries + 1) / 2) : keys;
  return batch * heads * queries * (causal && window > 0 ? Math.min(reach, window) : reach);
}
