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
