/**
 * The playground: `npm run dev` serves examples/playground from the sources, `npm run build:page` writes dist-page/,
 * which any static server serves from any path. The models lie beside the page.
 */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { sourceAliases } from "./test/harness/aliases.ts";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

export default defineConfig({
  root: path("examples/playground"),
  base: "./",
  publicDir: path("models"),
  // A file that is not there is a 404, not the page: checkpoints have optional files.
  appType: "mpa",
  resolve: { alias: sourceAliases("browser") },
  // Pre-bundling would part the decoders from their .wasm files.
  optimizeDeps: { exclude: ["@jsquash/jpeg", "@jsquash/webp"] },
  server: { fs: { allow: [path(".")] } },
  build: { outDir: path("dist-page"), emptyOutDir: true, target: "es2022" },
});
