/** The playground as `npm run build:page` builds it, behind a static server and not at its root, in Chromium. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type JSHandle, type Page } from "playwright";
import { build, preview, type PreviewServer } from "vite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { decodeImage } from "../../src/input/decode.ts";
import { readProcessorConfig } from "../../src/input/processor-config.ts";
import { processImage } from "../../src/input/processors.ts";
import { type TestBrowser, testBrowsers } from "../browser/chromium.ts";
import { root } from "../harness/sources.ts";

const embedded = join(root, "models/emoji-llava");
const tiny = join(root, "test/golden/tiny");
const samples = JSON.parse(readFileSync(join(embedded, "samples/samples.json"), "utf8")) as
  { image: string; question: string; answer: string }[];

const temporary = mkdtempSync(join(tmpdir(), "llava-page-"));
const outDir = join(temporary, "dist-page");
let server: PreviewServer;
let address: string;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  const config = { configFile: join(root, "vite.page.config.ts"), logLevel: "error" } as const;
  await build({ ...config, build: { outDir } });
  const local = { host: "127.0.0.1", port: 0 };
  server = await preview({ ...config, base: "/some/where/", build: { outDir }, preview: local });
  [address] = server.resolvedUrls!.local;
});
afterAll(async () => {
  await server.close();
  rmSync(temporary, { recursive: true });
});

/** A fresh page for every test of the block, none of which may leave an error that nobody caught. */
function usePages({ launch }: TestBrowser): void {
  let failures: string[];
  beforeAll(async () => {
    browser = await chromium.launch(launch);
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    page = await browser.newPage();
    page.setDefaultTimeout(0);
    failures = [];
    page.on("pageerror", ({ message }) => failures.push(message));
    await page.goto(address);
  });
  afterEach(async () => {
    await page.close();
    expect(failures).toEqual([]);
  });
}

const text = async (id: string): Promise<string> => (await page.locator(`#${id}`).textContent()) ?? "";
const waitForText = (id: string, part: string): Promise<unknown> =>
  page.waitForFunction(([of, wanted]) => document.getElementById(of)!.textContent.includes(wanted), [id, part]);
const answered = (): Promise<unknown> => page.locator("#timings").waitFor();
const chooseSample = (image: string): Promise<void> => page.locator(`#samples button[title="${image}"]`).click();

async function error(): Promise<string> {
  await page.locator("#error").waitFor();
  return text("error");
}

async function ask(question: string): Promise<string> {
  await page.locator("#question").fill(question);
  await page.locator("#question").press("Enter");
  await answered();
  return text("answer");
}

/** What a drop or paste of files carries. */
function transferOf(files: Record<string, Buffer>): Promise<JSHandle<DataTransfer>> {
  const encoded = Object.entries(files).map(([name, bytes]) => [name, bytes.toString("base64")]);
  return page.evaluateHandle((list) => {
    const transfer = new DataTransfer();
    for (const [name, base64] of list) {
      transfer.items.add(new File([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], name));
    }
    return transfer;
  }, encoded);
}

async function drop(files: Record<string, Buffer>): Promise<void> {
  await page.dispatchEvent("body", "drop", { dataTransfer: await transferOf(files) });
}

async function paste(files: Record<string, Buffer>): Promise<void> {
  await page.evaluate((clipboardData) => {
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
  }, await transferOf(files));
}

/** The colours of every canvas under "What the model saw", one after another, without alpha. */
function drawnBytes(): Promise<number[]> {
  return page.locator("#tiles canvas").evaluateAll((tiles) => tiles.flatMap((tile) => {
    const { width, height } = tile as HTMLCanvasElement;
    const { data } = (tile as HTMLCanvasElement).getContext("2d")!.getImageData(0, 0, width, height);
    return [...data].filter((_, i) => i % 4 !== 3);
  }));
}

const browsers = await testBrowsers();

describe.each(browsers)("the playground in $name", (each) => {
  usePages(each);

  it("answers soon after it is opened, asked before the model is there", async () => {
    await page.locator("#go").click();
    await answered();
    const time = await page.evaluate(() => performance.now());
    console.log(`page load to first answer on ${await text("adapter-name")}: ${(time / 1000).toFixed(1)} s`);
    expect(await text("answer")).toBe(samples[0].answer);
    expect(await text("adapter-name")).toMatch(/swiftshader/i);
    expect(await text("adapter-note")).toMatch(/software/i);
    const figure = String.raw`\s[\d.]+ m?s\s+`;
    expect(await page.locator("#timings").innerText()).toMatch(
      new RegExp(String.raw`Load${figure}Vision${figure}First token${figure}Speed\s[\d.]+ tokens/s`),
    );
    expect(await text("caption")).toBe("AnyRes: a base tile with the whole picture, and 2 rows of 2 tiles cut from 144 × 144 pixels: 5 tiles of 72 × 72; 88 image tokens in the prompt.");
    expect(await page.locator("#tiles canvas").count()).toBe(5);
  });
});

describe("the playground", () => {
  usePages(browsers[0]);

  it("answers as transformers does about every sample", async () => {
    const answers: string[] = [];
    for (const { image, question } of samples) {
      await chooseSample(image);
      answers.push(await ask(question));
    }
    expect(answers).toEqual(samples.map(({ answer }) => answer));
  });

  it("takes pictures that are dropped, pasted and picked, and says so when they are none", async () => {
    await waitForText("model-status", "ready");
    await drop({ "notes.txt": Buffer.from("no picture at all") });
    expect(await error()).toBe("image notes.txt: is not a picture; give a JPEG, PNG, WebP or GIF");
    const octopus = readFileSync(join(embedded, "samples/octopus.png"));
    await drop({ "octopus.png": octopus });
    await page.locator("#error").waitFor({ state: "hidden" });
    expect(await ask("What kind of thing is this?")).toBe("a sea animal");
    await paste({ "cut.png": octopus.subarray(0, 900) });
    expect(await error()).toMatch(/^image cut\.png: /);
    await page.setInputFiles("#file", join(embedded, "samples/cactus-tall.png"));
    expect(await ask("What is this?")).toBe("cactus");
    await page.locator("#remove").click();
    expect(await text("caption")).toMatch(/^No picture/);
  });

  it("opens a checkpoint folder, draws its AnyRes tiles, and stops", async () => {
    const folder = join(tiny, "llava-next-llama");
    await page.setInputFiles("#folder", folder);
    await waitForText("model-status", "llava_next");
    expect(await text("model-name")).toBe("llava-next-llama");
    await chooseSample("pizza-wide.png");
    await page.locator("#tiles .grid").waitFor();
    expect(await text("caption")).toBe(
      "AnyRes: a base tile with the whole picture, and 2 rows of 2 tiles cut from 48 × 48 pixels: "
        + "5 tiles of 24 × 24; 140 image tokens in the prompt.",
    );
    const preprocessor: unknown = JSON.parse(readFileSync(join(folder, "preprocessor_config.json"), "utf8"));
    const config: unknown = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
    const picture = await decodeImage(readFileSync(join(embedded, "samples/pizza-wide.png")));
    const processor = readProcessorConfig({ config, preprocessor });
    expect(await drawnBytes()).toEqual([...processImage(picture, processor.image).bytes]);
    // Random weights talk until the budget is used up.
    await page.locator("#question").press("Enter");
    await page.waitForFunction(() => document.getElementById("answer")!.textContent.length > 0);
    expect(await text("go")).toBe("Stop");
    await page.keyboard.press("Escape");
    await answered();
    expect(await text("answer-note")).toBe("Stopped.");
    expect(await text("go")).toBe("Ask");
  });

  it("opens the files of a checkpoint that are dropped, and goes back to the embedded model", async () => {
    const folder = join(tiny, "llava-clip-llama");
    await drop(Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))])));
    await waitForText("model-name", "checkpoint");
    await waitForText("model-status", "ready");
    await page.locator("#embedded").click();
    await waitForText("model-name", "emoji-llava");
    expect(await ask("What is this?")).toBe(samples[0].answer);
  });

  it("says what is wrong with a checkpoint and stays with the model that it has", async () => {
    const broken = join(temporary, "broken");
    cpSync(embedded, broken, { recursive: true });
    writeFileSync(join(broken, "model.safetensors"), "not tensors");
    await waitForText("model-status", "ready");
    await page.setInputFiles("#folder", broken);
    expect(await error()).toMatch(/model\.safetensors/);
    expect(await text("model-name")).toBe("emoji-llava");
    expect(await ask("What is this?")).toBe(samples[0].answer);
  });

  it("says what to do where there is no WebGPU", async () => {
    await page.addInitScript(() => Object.defineProperty(Navigator.prototype, "gpu", { value: undefined }));
    await page.reload();
    expect(await error()).toMatch(/^navigator\.gpu must exist, got a browser .* without WebGPU; use a current Chrome/);
    expect(await text("model-status")).toBe("could not be loaded");
    await page.locator("#question").press("Enter");
    expect(await error()).toMatch(/^navigator\.gpu must exist/);
  });

  it("fits a telephone", async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await page.setInputFiles("#folder", join(tiny, "llava-next-llama"));
    await page.locator("#tiles .grid").waitFor();
    const sizes = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
    expect(sizes).toEqual([360, 360]);
  });

  it("can be used with the keyboard alone", async () => {
    await waitForText("model-status", "ready");
    await page.locator("#samples button").first().waitFor();
    const order: string[] = [];
    const pictures = [...new Set(samples.map(({ image }) => image))].map(() => "sample");
    for (let i = 0; i < pictures.length + 8; i++) {
      await page.keyboard.press("Tab");
      const { id, textContent } = await page.evaluate(() => {
        const { id, textContent } = document.activeElement!;
        return { id, textContent };
      });
      order.push(id || textContent || "sample");
    }
    expect(order).toEqual([
      "folder", "embedded", "file", "remove", ...pictures, "question", "go",
      "What is this?", "What kind of thing is this?",
    ]);
    await page.keyboard.press("Enter");
    await answered();
    expect(await text("asked")).toBe("What kind of thing is this?");
  });
});
