/** The browsers that tests run in: Chromium of an npm package, and the system's own where one is installed. */
import { existsSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import chromium from "@sparticuz/chromium";
import type { LaunchOptions } from "playwright";

/** A browser to launch, by a name for reports. */
export interface TestBrowser {
  name: string;
  launch: LaunchOptions;
}

const systemBrowsers = ["/usr/bin/chromium", "/usr/bin/google-chrome"];

/**
 * `--enable-unsafe-webgpu` allows WebGPU on SwiftShader; the sandbox does not work for root, in containers above all;
 * the others keep the browser off the network.
 */
const args = [
  "--enable-unsafe-webgpu",
  "--no-sandbox",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-quic",
  "--no-first-run",
];

export async function testBrowsers(): Promise<TestBrowser[]> {
  const browsers = [{ name: "chromium-npm", launch: options(await packagedChromium()) }];
  const system = systemBrowsers.find((path) => existsSync(path));
  if (system !== undefined) browsers.push({ name: "chromium-system", launch: options(system) });
  return browsers;
}

/** A Vulkan driver chosen for Node keeps Chromium from starting its own, so it does not see those variables. */
function options(executablePath: string): LaunchOptions {
  const inherited = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const env = Object.fromEntries(inherited.filter(([key]) => !key.startsWith("VK_")));
  return { executablePath, args, env, headless: true };
}

/** Unpacks the package's Chromium into a folder of ours (it would take the temporary folder) on first use. */
async function packagedChromium(): Promise<string> {
  const folder = fileURLToPath(new URL("../../node_modules/.cache/chromium", import.meta.url));
  mkdirSync(folder, { recursive: true });
  const before = process.env.TMPDIR;
  process.env.TMPDIR = folder;
  try {
    return await chromium.executablePath();
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
}
