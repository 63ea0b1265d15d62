/** The vitest project `browser`: test/browser/*.test.ts in headless Chromium, after the tests in Node. */
import { playwright } from "@vitest/browser-playwright";
import type { TestProjectInlineConfiguration } from "vitest/config";
import { sourceAliases } from "../harness/aliases.ts";
import { testBrowsers } from "./chromium.ts";

export async function browserTests(): Promise<TestProjectInlineConfiguration> {
  const instances = (await testBrowsers()).map(({ name, launch }) => ({
    name,
    browser: "chromium" as const,
    provider: playwright({ launchOptions: launch }),
  }));
  return {
    resolve: { alias: sourceAliases("browser") },
    // Pre-bundling would part the decoders from their .wasm files.
    optimizeDeps: { exclude: ["@jsquash/jpeg", "@jsquash/webp"] },
    test: {
      name: "browser",
      include: ["test/browser/*.test.ts"],
      testTimeout: 0,
      hookTimeout: 0,
      fileParallelism: false,
      sequence: { groupOrder: 1 },
      browser: {
        enabled: true,
        headless: true,
        screenshotFailures: false,
        provider: playwright(),
        instances,
      },
    },
  };
}
