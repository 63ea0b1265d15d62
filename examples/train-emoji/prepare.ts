/**
 * Renders everything that training and evaluation read into a cache folder, in about two minutes; README.md has the command.
 *
 *     [--cache FOLDER] [--packages FOLDER]
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadDrawings, renderDrawings } from "./drawings.ts";
import { renderWords } from "./words.ts";

/** In a folder that git ignores. */
export const defaultCache = fileURLToPath(new URL("node_modules/.cache/drawings", import.meta.url));

/** Command line. */
export async function main(args: string[]): Promise<void> {
  const options = { cache: { type: "string", default: defaultCache }, packages: { type: "string" } } as const;
  const { values } = parseArgs({ args, options });
  const { cache, packages } = values;
  await renderDrawings({
    cache,
    packages,
    onProgress: ({ vendor, done, all }) => {
      process.stderr.write(`\r${vendor}: ${done} of ${all} drawings   ${done === all ? "\n" : ""}`);
    },
  });
  await renderWords({ cache, packages });
  const { concepts, training, heldOut } = loadDrawings(cache);
  const held = Object.entries(heldOut).map(([name, list]) => `${name} ${list.length}`);
  console.log(`${cache}: ${concepts.length} concepts, ${training.length} drawings to learn from; held out: ${held.join(", ")}`);
}
