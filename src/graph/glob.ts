/**
 * A test for dotted paths: `*` stands for any part of one segment, `**` for any number of segments.
 * `language.layers.*` matches `language.layers.3` and not `language.layers.3.attention.probabilities`.
 */
export function glob(pattern: string): (path: string) => boolean {
  const source = pattern
    .split(".")
    .map((segment) => (segment === "**" ? "(?:[^.]+(?:\\.[^.]+)*)" : segment.replace(/[\\^$+?()[\]{}|]/g, "\\$&").replaceAll("*", "[^.]*")))
    .join("\\.");
  const expression = new RegExp(`^${source}$`);
  return (path) => expression.test(path);
}
