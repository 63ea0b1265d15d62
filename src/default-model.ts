/** Where the embedded model lies: `models/` of the package, one level above both `src/` and `dist/`. */
export function defaultModel(): URL {
  const folder = "../models/emoji-llava/";
  return new URL(/* @vite-ignore */ folder, import.meta.url);
}
