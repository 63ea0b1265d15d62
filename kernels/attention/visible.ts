/** The keys [first, last) that query i sees: all of them, or, if causal, the last `window` (0: all) up to position + i. */
export function visibleKeys(
  query: number,
  { keys, position, causal, window }: { keys: number; position: number; causal: number; window: number },
): { first: number; last: number } {
  if (!causal) return { first: 0, last: keys };
  const last = Math.min(keys, position + query + 1);
  return { first: window > 0 ? Math.max(0, last - window) : 0, last };
}
