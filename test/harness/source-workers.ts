/** Worker threads from the sources: Node's run no TypeScript, so the script of one is bundled when it is first named. */
import { createHash } from "node:crypto";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "vite";
import type { Plugin, Rolldown } from "vite";
import { sourceAliases } from "./aliases.ts";

const path = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url));

/** Under node_modules/, where the script's own imports of packages are found. */
const folder = path("node_modules/.cache/llava-workers");

/** The address of the bundled script, whose name tells its contents: runs side by side do not disturb each other. */
async function bundle(name: string): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: "warn",
    resolve: { alias: sourceAliases("node") },
    build: {
      write: false,
      target: "node20",
      minify: false,
      lib: { entry: path(`src/input/${name}.ts`), formats: ["es"], fileName: name },
      rolldownOptions: { external: (id) => !/^[./#]/.test(id) && !id.startsWith("\0") },
    },
  });
  const [{ output: [{ code }] }] = built as Rolldown.RolldownOutput[];
  const file = `${folder}/${name}-${createHash("sha256").update(code).digest("hex").slice(0, 12)}.mjs`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${file}.${process.pid}`, code);
  renameSync(`${file}.${process.pid}`, file);
  return pathToFileURL(file).href;
}

export const sourceWorkers: Plugin = {
  name: "source-workers",
  async transform(code, id) {
    if (!id.endsWith("/src/input/workers.node.ts")) return undefined;
    const [script, name] = /"\.\/(picture-worker\.node)\.js"/.exec(code)!;
    return { code: code.replace(script, JSON.stringify(await bundle(name))), map: null };
  },
};
