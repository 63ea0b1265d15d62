/** The build of the package: `vite build` writes dist/, ES modules with declarations and source maps. */
import { chmodSync } from "node:fs";
import { fileURLToPath } from "node:url";
import dts from "unplugin-dts/vite";
import { defineConfig } from "vite";
import type { Plugin } from "vite";

/** dist/<name>.js from its source. What several of them use goes into shared chunks. */
const entries = {
  index: "src/index.ts",
  cli: "src/cli/main.ts",
  kernels: "kernels/index.ts",
  tokenizer: "tokenizer/index.ts",
  train: "src/train/index.ts",
  weights: "weights/index.ts",
  // The conditional modules, which package.json's `imports` choose from.
  "adapters.node": "src/gpu/adapters.node.ts",
  "adapters.browser": "src/gpu/adapters.browser.ts",
  "codecs.node": "src/input/codecs.node.ts",
  "codecs.browser": "src/input/codecs.browser.ts",
  "files.node": "weights/files.node.ts",
  "files.browser": "weights/files.browser.ts",
  "workers.node": "src/input/workers.node.ts",
  "workers.browser": "src/input/workers.browser.ts",
  // The scripts that they start.
  "picture-worker.node": "src/input/picture-worker.node.ts",
  "picture-worker.browser": "src/input/picture-worker.browser.ts",
};

/** Makes the command's file executable, as npm does on installing but a checkout does not. */
const executable: Plugin = {
  name: "executable",
  writeBundle() {
    chmodSync(fileURLToPath(new URL("dist/cli.js", import.meta.url)), 0o755);
  },
};

/**
 * Keeps `new Worker(new URL(script, import.meta.url))` as it stands, but for the script's name: Vite would put the worker
 * in here, whereas it is for the bundler of whoever uses the package to find. Stand-ins are of equal length, so that
 * source maps stay right.
 */
const workerScript: Plugin = {
  name: "worker-script",
  enforce: "pre",
  transform: (code, id) =>
    id.endsWith("/workers.browser.ts") ? { code: code.replace("import.meta.url", "IMPORT_META_URL"), map: null } : undefined,
  renderChunk: (code, { name }) =>
    name === "workers.browser"
      ? { code: code.replace('.browser.ts", IMPORT_META_URL', '.browser.js", import.meta.url'), map: null }
      : undefined,
};

export default defineConfig(({ mode }) => ({
  plugins: [
    // `npm start` builds in the mode "start", to run and not to publish: declarations take most of a build's time.
    mode !== "start" && dts({
      include: ["errors", "kernels", "tokenizer", "weights", "src", "wgsl.d.ts"],
      exclude: ["**/*.test.ts", "**/*.long.ts"],
      entryRoot: ".",
      tsconfigPath: "tsconfig.json",
    }),
    executable,
    workerScript,
  ],
  build: {
    target: "es2022",
    sourcemap: true,
    minify: false,
    lib: { entry: entries, formats: ["es"] },
    rolldownOptions: {
      // Only relative imports are ours to bundle: packages, node:* and the #conditional modules stay imports.
      external: (id) => !/^[./]/.test(id) && !id.startsWith("\0"),
      // Beside the entries: default-model.ts finds models/ from where its code lies.
      output: { chunkFileNames: "[name]-[hash].js" },
    },
  },
}));
