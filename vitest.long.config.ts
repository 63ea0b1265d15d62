/** The tests that take minutes: `*.long.ts`, run by `npm run test:long`. */
import { defineConfig } from "vitest/config";
import { sourceAliases } from "./test/harness/aliases.ts";
import { nodeTests } from "./vitest.config.ts";

export default defineConfig({
  resolve: { alias: sourceAliases("node") },
  test: {
    ...nodeTests,
    reporters: ["default", "./test/reporter.ts"],
    include: ["{errors,kernels,tokenizer,weights,src,test}/**/*.long.ts"],
  },
});
