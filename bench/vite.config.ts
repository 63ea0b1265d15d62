/** The build of the benchmarks: `dist-bench/`, with our sources in it and the npm packages left outside. */
import { dirname, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import type { Plugin } from "vite";
import { sourceAliases } from "../test/harness/aliases.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = `${root}dist-bench`;

/**
 * Code that looks for files beside itself (goldens, the embedded model) finds them from where it is bundled to. Workers are
 * bundled too.
 */
const ownPlace: Plugin = {
  name: "own-place",
  enforce: "pre",
  transform(code, id) {
    if (id.includes("node_modules") || !id.endsWith(".ts") || id.endsWith("/workers.node.ts") || !code.includes("import.meta.url")) return undefined;
    const place = JSON.stringify(relative(out, dirname(id)) + id.slice(dirname(id).length));
    return { code: code.replaceAll("import.meta.url", `new URL(/* @vite-ignore */ ${place}, import.meta["url"]).href`), map: null };
  },
};

/** package.json promises that our modules have no side effects. Test files have: they register their tests. */
const keepTests: Plugin = {
  name: "keep-tests",
  transform: (_, id) => (/\.(test|long)\.ts$/.test(id) ? { moduleSideEffects: true } : undefined),
};

export default defineConfig({
  root,
  logLevel: "warn",
  plugins: [ownPlace, keepTests],
  resolve: {
    alias: [
      ...sourceAliases("node"),
      // `verify:gpu` runs our test files by itself, on an adapter of its own choice.
      { find: /^vitest$/, replacement: `${root}bench/verify/runner.ts` },
      { find: /^.*\/harness\/(adapters|close)\.ts$/, replacement: `${root}bench/verify/$1.ts` },
    ],
  },
  build: {
    outDir: out,
    target: "node20",
    minify: false,
    lib: {
      entry: {
        "bench": `${root}bench/main.ts`,
        "verify": `${root}bench/verify/main.ts`,
        "peer": `${root}bench/peers/process.ts`,
        "tables": `${root}bench/tables.ts`,
        "picture-worker.node": `${root}src/input/picture-worker.node.ts`,
      },
      formats: ["es"],
    },
    rolldownOptions: {
      external: (id) => !/^([./#]|vitest$|llava-webgpu(\/|$))/.test(id) && !id.startsWith("\0"),
      output: { chunkFileNames: "[name]-[hash].js" },
    },
  },
});
