/**
 * Memory while loading: on a synthetic checkpoint of 2 GB (a sparse file, so that it takes no disk) the host holds little more
 * than the piece that is on its way. On a software adapter the GPU's buffers are host memory too, so what is in them is
 * taken off.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, openSync, closeSync, ftruncateSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testAdapters } from "./harness/adapters.ts";

/** Bytes of a checkpoint that are read at once, see `src/models/load.ts`. */
const RANGE = 8 * 2 ** 20;
const MEGABYTE = 1e6;

const config = {
  model_type: "llama",
  vocab_size: 32000,
  hidden_size: 2048,
  intermediate_size: 5632,
  num_hidden_layers: 18,
  num_attention_heads: 16,
  num_key_value_heads: 16,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
};

/** Names and shapes of the checkpoint's tensors. */
function tensors(): [name: string, shape: number[]][] {
  const { hidden_size: width, intermediate_size: hidden, vocab_size: vocabulary } = config;
  const layer = (i: number): [string, number[]][] => [
    ...["q", "k", "v", "o"].map((part): [string, number[]] => [`model.layers.${i}.self_attn.${part}_proj.weight`, [width, width]]),
    ...["gate", "up"].map((part): [string, number[]] => [`model.layers.${i}.mlp.${part}_proj.weight`, [hidden, width]]),
    [`model.layers.${i}.mlp.down_proj.weight`, [width, hidden]],
    ...["input", "post_attention"].map((part): [string, number[]] => [`model.layers.${i}.${part}_layernorm.weight`, [width]]),
  ];
  return [
    ["model.embed_tokens.weight", [vocabulary, width]],
    ...Array.from({ length: config.num_hidden_layers }, (_, i) => layer(i)).flat(),
    ["model.norm.weight", [width]],
    ["lm_head.weight", [vocabulary, width]],
  ];
}

/** Writes the folder; returns the bytes of all tensors. */
function writeCheckpoint(folder: string): number {
  const header: Record<string, unknown> = {};
  let at = 0;
  for (const [name, shape] of tensors()) {
    const end = at + 2 * shape.reduce((product, length) => product * length, 1);
    header[name] = { dtype: "F16", shape, data_offsets: [at, end] };
    at = end;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = openSync(join(folder, "model.safetensors"), "w");
  writeSync(file, Buffer.concat([length, text]));
  ftruncateSync(file, 8 + text.length + at);
  closeSync(file);
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  return at;
}

/** Runs in a process of its own: loads the folder and prints the figures, in bytes. */
const script = (folder: string, adapter: string) => `
  const { Llava } = await load("src/llava.ts");
  const { chooseAdapter } = await load("src/gpu/adapter.ts");
  const { Gpu } = await load("src/gpu/gpu.ts");
  const adapter = ${JSON.stringify(adapter)};
  // The driver's own memory is no part of the figure.
  const first = await Gpu.open(await chooseAdapter(adapter));
  await first.dispose();
  const before = process.memoryUsage().rss;
  let gpu;
  const { open } = Gpu;
  Gpu.open = async (found) => (gpu = await open.call(Gpu, found));
  let [beyond, peak, read] = [0, 0, 0];
  const sample = () => {
    const rss = process.memoryUsage().rss - before;
    peak = Math.max(peak, rss);
    if (gpu) beyond = Math.max(beyond, rss - gpu.allocated);
  };
  const timer = setInterval(sample, 2);
  const onProgress = ({ phase, done }) => {
    if (phase === "weights") read = done;
    sample();
  };
  const llava = await Llava.load(${JSON.stringify(folder)}, { adapter, onProgress });
  sample();
  clearInterval(timer);
  const buffers = gpu.allocated;
  await llava.dispose();
  // The driver unmaps what is freed in threads of its own.
  const left = () => process.memoryUsage().rss - before;
  for (let i = 0; i < 40 && left() > buffers / 10; i++) await new Promise((resolve) => setTimeout(resolve, 250));
  console.log(JSON.stringify({ beyond, peak, buffers, read, left: left() }));
`;

/** Loads the embedded model again and again; prints by how much the process has grown after each time. */
const repeated = (adapter: string) => `
  const { Llava } = await load("src/llava.ts");
  const grown = [];
  let before;
  for (let i = 0; i < 40; i++) {
    const llava = await Llava.load(undefined, { adapter: ${JSON.stringify(adapter)} });
    await llava.prepare({ prompt: "What is this?" });
    await llava.dispose();
    before ??= process.memoryUsage().rss;
    grown.push(process.memoryUsage().rss - before);
  }
  console.log(JSON.stringify(grown));
`;

/** What a script prints last, from a process of its own. */
function measured<T>(text: string): T {
  const runner = fileURLToPath(new URL("harness/run-source.mjs", import.meta.url));
  const child = spawnSync(process.execPath, [runner, text], { encoding: "utf8", cwd: fileURLToPath(new URL("..", import.meta.url)) });
  expect(child.status, child.stderr).toBe(0);
  return JSON.parse(child.stdout.trim().split("\n").at(-1)!) as T;
}

let folder: string;
let bytes: number;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "llava-memory-"));
  bytes = writeCheckpoint(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

for (const { name } of (await testAdapters()).filter(({ software }) => software)) {
  describe(`memory on ${name}`, () => {
    it("of loading 2 GB is at most 1.3 times the range in flight and 100 MB beyond the GPU's buffers, and all comes back", () => {
      const figures = measured<Record<"beyond" | "peak" | "buffers" | "read" | "left", number>>(script(folder, name));
      const megabytes = Object.entries(figures).map(([key, value]) => `${key} ${(value / MEGABYTE).toFixed(0)} MB`);
      console.log(`loading ${(bytes / 1e9).toFixed(2)} GB on ${name}: ${megabytes.join(", ")}`);
      expect(figures.read).toBe(bytes);
      expect(figures.buffers).toBeGreaterThan(bytes);
      expect(figures.beyond).toBeLessThanOrEqual(1.3 * RANGE + 100 * MEGABYTE);
      expect(figures.left).toBeLessThan(figures.buffers / 10);
    });

    it("grows no more from loading 40 times than from loading 10 times", () => {
      const grown = measured<number[]>(repeated(name));
      console.log(`40 times the embedded model on ${name}: grown by ${grown.filter((_, i) => i % 10 === 9).map((bytes) => (bytes / MEGABYTE).toFixed(0)).join(", ")} MB`);
      expect(Math.min(...grown.slice(30)) - Math.max(...grown.slice(0, 10))).toBeLessThan(50 * MEGABYTE);
    });
  });
}
