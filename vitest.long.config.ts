/** The tests that take minutes, run by `npm run test:long`: `*.long.ts`, and the kernels with all their cases. */
import { defineConfig } from "vitest/config";
import { sourceAliases } from "./test/harness/aliases.ts";
import { nodeTests } from "./vitest.config.ts";

export default defineConfig({
  resolve: { alias: sourceAliases("node") },
  test: {
    ...nodeTests,
    reporters: ["default", "./test/reporter.ts"],
    env: { LLAVA_TEST_LONG: "1" },
    include: ["{errors,kernels,tokenizer,weights,src,test}/**/*.long.ts", "test/kernels.test.ts"],
  },
});
