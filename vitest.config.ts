import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { browserTests } from "./test/browser/project.ts";
import { sourceAliases } from "./test/harness/aliases.ts";
import { sourceWorkers } from "./test/harness/source-workers.ts";

// lavapipe compiles every shader with LLVM; the cache makes the next run start at once.
process.env.MESA_SHADER_CACHE_DIR ??= fileURLToPath(new URL("node_modules/.cache/mesa", import.meta.url));

/** Tests of the sources in Node: each file in a process of its own, two at a time, and no time limits. */
export const nodeTests = {
  pool: "forks",
  maxWorkers: 2,
  testTimeout: 0,
  hookTimeout: 0,
  teardownTimeout: 300_000,
} as const;

export default defineConfig({
  test: {
    reporters: ["default", "./test/reporter.ts"],
    projects: [
      {
        resolve: { alias: sourceAliases("node") },
        plugins: [sourceWorkers],
        test: {
          ...nodeTests,
          name: "node",
          include: ["{errors,examples,kernels,tokenizer,weights,src,test}/**/*.test.ts"],
          exclude: ["test/browser/**"],
        },
      },
      browserTests,
    ],
  },
});
