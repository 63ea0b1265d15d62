/**
 * A test for dotted paths: `*` stands for any part of one segment, `**` for any number of segments, one at the least.
 * `language.layers.*` matches `language.layers.3` and not `language.layers.3.attention.probabilities`.
 */
export function glob(pattern: string): (path: string) => boolean {
  const segments = pattern.split(".").flatMap((segment) => (segment === "**" ? ["*", "**"] : [segment]));
  const fits = (wanted: string, segment: string) => matches([...wanted], [...segment], "*", (a, b) => a === b);
  return (path) => matches(segments, path.split("."), "**", fits);
}

/**
 * Whether `text` is `pattern` with something, or nothing, for every `star`. Only the latest star is ever given more to
 * stand for, since it can take what an earlier one could: so the time is at most the product of both lengths.
 */
function matches(
  pattern: readonly string[],
  text: readonly string[],
  star: string,
  fits: (wanted: string, part: string) => boolean,
): boolean {
  let wanted = 0;
  let at = 0;
  let latest: { wanted: number; at: number } | undefined;
  while (at < text.length) {
    if (pattern[wanted] === star) {
      latest = { wanted: ++wanted, at };
    } else if (wanted < pattern.length && fits(pattern[wanted]!, text[at]!)) {
      wanted++;
      at++;
    } else if (latest) {
      wanted = latest.wanted;
      at = ++latest.at;
    } else {
      return false;
    }
  }
  while (pattern[wanted] === star) wanted++;
  return wanted === pattern.length;
}
