/** The package as it is published: what `npm pack` takes from the build in dist/, and that it works once installed. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright";
import { publint } from "publint";
import { build, preview } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testBrowsers } from "./browser/chromium.ts";
import { root } from "./harness/sources.ts";

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  version: string;
  dependencies: Record<string, string>;
  imports: Record<string, Record<string, string>>;
  exports: Record<string, string | Record<string, string>>;
};
const tool = (name: string): string => join(root, "node_modules/.bin", name);

/** A folder for everything here, and in it a project that has the packed tarball and our dependencies installed. */
const folder = mkdtempSync(join(tmpdir(), "llava-package-"));
const project = join(folder, "project");
const installed = join(project, "node_modules/llava-webgpu");
let packed: { filename: string; files: { path: string; mode: number }[] };

beforeAll(() => {
  if (!existsSync(join(root, "dist/index.js"))) throw new Error("dist/: the build must be there; run npm run build");
  const report = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  [packed] = JSON.parse(report) as [typeof packed];
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["xzf", join(folder, packed.filename), "-C", installed, "--strip-components", "1"]);
  for (const name of Object.keys(manifest.dependencies)) {
    mkdirSync(join(project, "node_modules", name, ".."), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name));
  }
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("the tarball", () => {
  it("holds the build, the shaders, the default model and the papers, and nothing else", () => {
    const expected = [
      /^dist\/[\w.-]+\.js(\.map)?$/,
      /^dist\/(chunks|assets)\/[\w.-]+$/,
      /^dist\/(errors|kernels|tokenizer|weights|src)\/[\w./-]+\.d\.ts$/,
      /^kernels\/[\w./-]+\.wgsl$/,
      /^models\/[\w./-]+$/,
      /^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/,
    ];
    const paths = packed.files.map(({ path }) => path);
    expect(paths.filter((path) => !expected.some((pattern) => pattern.test(path)))).toEqual([]);
    expect(paths.filter((path) => /\.(test|long)\.|golden|harness/.test(path))).toEqual([]);
    const shaders = (readdirSync(join(root, "kernels"), { recursive: true }) as string[])
      .filter((path) => path.endsWith(".wgsl")).map((path) => `kernels/${path}`);
    expect(paths).toEqual(expect.arrayContaining([...shaders, "README.md", "LICENSE", "CHANGELOG.md"]));
  });

  it("holds every file that package.json names", () => {
    const paths = new Set(packed.files.map(({ path }) => `./${path}`));
    const named = [...Object.values(manifest.exports), ...Object.values(manifest.imports)]
      .flatMap((entry) => (typeof entry === "string" ? [entry] : Object.values(entry)))
      .filter((path) => !path.includes("*"));
    expect(named.filter((path) => !paths.has(path))).toEqual([]);
  });

  it("has an executable command", () => {
    expect(packed.files.find(({ path }) => path === "dist/cli.js")).toMatchObject({ mode: 0o755 });
    expect(readFileSync(join(installed, "dist/cli.js"), "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  it("passes publint", async () => {
    const { messages } = await publint({ pkgDir: installed, pack: false, strict: true });
    expect(messages).toEqual([]);
  });

  it("passes attw for ES modules", () => {
    const run = spawnSync(tool("attw"), [join(folder, packed.filename), "--profile", "esm-only", "--format", "ascii"], {
      encoding: "utf8",
    });
    expect(run.status, run.stdout + run.stderr).toBe(0);
  });
});

/** A program that decodes a PNG and a JPEG in a worker; the thread that it runs on is left without the means. */
const decoding = `
  import { PicturePool } from "llava-webgpu/train";
  globalThis.DecompressionStream = globalThis.WebAssembly = undefined;
  const steps = { padToSquare: false, filter: "nearest", background: [0, 0, 0] };
  const pool = new PicturePool(1);
  const files = ${JSON.stringify(["dot.png", "exif.jpg"].map((name) => readFileSync(join(root, "test/golden/images", name), "base64")))};
  const seen = await Promise.all(files.map((text) =>
    pool.process(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)), steps, false)));
  const sizes = seen.map(({ width, height }) => width + " x " + height).join(", ");
`;
const sizes = "1 x 1, 60 x 90";

describe("a project that has it installed", () => {
  const entries = Object.keys(manifest.exports).filter((path) => !path.includes("*") && !path.endsWith(".json"))
    .map((path) => `llava-webgpu${path.slice(1)}`);

  it("imports every entry in Node", () => {
    const script = `
      for (const entry of ${JSON.stringify(entries)}) {
        if (Object.keys(await import(entry)).length === 0) throw new Error(entry + " exports nothing");
      }
      const { Llava } = await import("llava-webgpu");
      console.log(typeof Llava);
    `;
    const run = spawnSync(process.execPath, ["--input-type=module", "-e", script], { cwd: project, encoding: "utf8" });
    expect(run).toMatchObject({ status: 0, stdout: "function\n" });
  });

  it("decodes pictures in a worker thread, which does not keep the process alive", () => {
    const script = `${decoding}; console.log(sizes)`;
    const run = spawnSync(process.execPath, ["--input-type=module", "-e", script], { cwd: project, encoding: "utf8" });
    expect(run).toMatchObject({ status: 0, stdout: `${sizes}\n` });
  });

  it("reads a shader as a file", () => {
    const shader = packed.files.find(({ path }) => path.endsWith(".wgsl"))!.path;
    const script = `process.stdout.write(import.meta.resolve("llava-webgpu/${shader}"))`;
    const run = spawnSync(process.execPath, ["--input-type=module", "-e", script], { cwd: project, encoding: "utf8" });
    expect(existsSync(new URL(run.stdout))).toBe(true);
  });

  it("runs the command", () => {
    const run = (...words: string[]): ReturnType<typeof spawnSync> =>
      spawnSync(process.execPath, [join(installed, "dist/cli.js"), ...words], { cwd: project, encoding: "utf8" });
    expect(run("--version")).toMatchObject({ status: 0, stdout: expect.stringContaining(manifest.version) });
    const devices = run("devices", "--json");
    expect(devices.status, String(devices.stderr)).toBe(0);
    expect(JSON.parse(String(devices.stdout))).toBeTypeOf("object");
  });

  it("compiles against its types, strictly and with the libraries checked", () => {
    const lines = entries.map((entry, i) => `export * as entry${i} from "${entry}";`);
    writeFileSync(join(project, "types.ts"), lines.join("\n"));
    for (const [module, resolution] of [["nodenext", "nodenext"], ["esnext", "bundler"]]) {
      const run = spawnSync(tool("tsc"), [
        "--noEmit", "--strict", "--target", "es2022", "--module", module, "--moduleResolution", resolution, "types.ts",
      ], { cwd: project, encoding: "utf8" });
      expect(run.stdout).toBe("");
    }
  });

  it("builds with Vite and runs in a browser, workers too", async () => {
    const page = `import { Llava } from "llava-webgpu";\n${decoding}\ndocument.title = typeof Llava + ": " + sizes;\n`;
    writeFileSync(join(project, "page.js"), page);
    writeFileSync(join(project, "index.html"), '<!doctype html><script type="module" src="./page.js"></script>\n');
    const quiet = { root: project, configFile: false, logLevel: "error" } as const;
    await build(quiet);
    const assets = join(project, "dist/assets");
    const code = readdirSync(assets).filter((file) => file.endsWith(".js"))
      .map((file) => readFileSync(join(assets, file), "utf8")).join("\n");
    expect(code).not.toMatch(/from\s*["']node:|dlopen/);
    const server = await preview({ ...quiet, preview: { host: "127.0.0.1", port: 0 } });
    const [{ launch }] = await testBrowsers();
    const browser = await chromium.launch(launch);
    try {
      const page = await browser.newPage();
      const failure = new Promise<string>((resolve) => {
        page.on("pageerror", (error) => resolve(error.message));
      });
      await page.goto(server.resolvedUrls!.local[0]);
      const success = page.waitForFunction("document.title", undefined, { timeout: 0 }).then(() => page.title());
      expect(await Promise.race([success, failure])).toBe(`function: ${sizes}`);
    } finally {
      await browser.close();
      await server.close();
    }
  });
});
