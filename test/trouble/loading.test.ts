/** A checkpoint, option or device that is not right: `Llava.load` says what, and leaves nothing behind on the GPU. */
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { chooseAdapter } from "../../src/gpu/adapter.ts";
import { DeviceError, DeviceLostError, GpuMemoryError } from "../../src/gpu/error.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { OptionError } from "../../src/generate/errors.ts";
import { PromptError } from "../../src/input/prompt.ts";
import { Llava } from "../../src/llava.ts";
import type { LoadOptions } from "../../src/llava-options.ts";
import { ConfigError } from "../../src/models/config.ts";
import { TokenizerError } from "../../tokenizer/index.ts";
import { type FolderSource, WeightError } from "../../weights/index.ts";
import { expectTrouble, type Header, safetensors, tinyCheckpoint, withJson, without, withWeights } from "../harness/checkpoints.ts";
import { goldenPath } from "../harness/golden.ts";

const adapter = "swiftshader";
const text = tinyCheckpoint("decoder-llama");
const load = (source: FolderSource, options: LoadOptions = {}) => Llava.load(source, { adapter, ...options });

/** What a test changes of a tokenizer.json. */
interface TokenizerJson {
  readonly added_tokens: { content: string; id: number }[];
  readonly model: { vocab: Record<string, number> };
  post_processor?: unknown;
}

/** The same bytes with one more. */
function longer(data: Uint8Array): Uint8Array {
  const longer = new Uint8Array(data.length + 1);
  longer.set(data);
  return longer;
}

/** Every GPU object that a test opened. */
let opened: Gpu[] = [];
beforeEach(() => {
  opened = [];
  for (const name of ["open", "wrap"] as const) {
    const real = Gpu[name] as (origin: never) => Gpu | Promise<Gpu>;
    vi.spyOn(Gpu, name).mockImplementation(((origin: never) => {
      const made = real.call(Gpu, origin);
      void Promise.resolve(made).then((gpu) => opened.push(gpu), () => {});
      return made;
    }) as never);
  }
});
afterEach(() => {
  vi.restoreAllMocks();
  // Whether a test loaded a model or failed to: nothing of it is left on a GPU.
  for (const gpu of opened) expect([gpu.allocated, gpu.disposed]).toEqual([0, true]);
});

describe("no adapter", () => {
  it("of that name is an error that lists those at hand", () =>
    expectTrouble(Llava.load(text, { adapter: "no adapter has this name" }), DeviceError, /expected one with "no adapter has this name" .*SwiftShader/i));

  it("whose limits suffice is an error that names the limit", async () => {
    const found = await chooseAdapter(adapter);
    const limits = new Proxy(found.adapter.limits, {
      get: (real, key) => (key === "maxStorageBuffersPerShaderStage" ? 4 : Reflect.get(real, key, real)),
    });
    const poor = { limits, info: found.adapter.info } as unknown as GPUAdapter;
    await expectTrouble(Gpu.open({ ...found, adapter: poor }), DeviceError, /maxStorageBuffersPerShaderStage to be at least 8, got 4; choose another/);
  });

  it("that can bind the weights is an error that names the weight", async () => {
    const { loadWeights } = await import("../../src/models/load.ts");
    const { Checkpoint, openFolder } = await import("../../weights/index.ts");
    const { llava } = await import("../../src/models/llava.ts");
    const { parseConfig } = await import("../../src/models/config.ts");
    const folder = await openFolder(text);
    const model = llava(parseConfig(await folder.json("config.json")));
    const gpu = await Gpu.open(await chooseAdapter(adapter));
    const loading = loadWeights(model.parameters, await Checkpoint.open(folder), gpu, { maxBindingBytes: 64 });
    await expectTrouble(loading, WeightError, /a row of 80 bytes exceeds the adapter's binding limit of 64/);
    await gpu.dispose();
  });

  it("that has the memory is an error with the bytes wanted", async () => {
    const gpu = await Gpu.open(await chooseAdapter(adapter));
    const error = await expectTrouble(gpu.allocate("cache", 2 ** 40, GPUBufferUsage.STORAGE), GpuMemoryError, /cache needs a buffer of 1099511627776 bytes/);
    expect(error).toMatchObject({ wanted: 2 ** 40, limit: gpu.limits.maxBufferSize });
    await gpu.dispose();
  });
});

describe("a folder", () => {
  it("that does not exist", () => expectTrouble(load("/no/such/folder"), WeightError, /there is no folder \/no\/such\/folder/));
  it("that is a file", () => expectTrouble(load(goldenPath("tiny/decoder-llama/config.json")), WeightError, /expected a model folder, got the file/));
  it("that is of another kind", () => expectTrouble(load(7 as never), WeightError, /expected a path, an address, files/));
  it("without files", () => expectTrouble(load({}), WeightError, /has no file config\.json/));
  it("without config.json", () => expectTrouble(load(without(text, "config.json")), WeightError, /has no file config\.json/));
  it("without weights", () => expectTrouble(load(without(text, "model.safetensors")), WeightError, /holds no weights: expected model\.safetensors/));

  it("without a shard", () => {
    const shards = tinyCheckpoint("llava-clip-llama-shards-bfloat16");
    const last = Object.keys(shards).filter((file) => /-of-\d+\.safetensors$/.test(file)).at(-1)!;
    return expectTrouble(load(without(shards, last)), WeightError, new RegExp(`the shard ${last}, listed in .* is missing`));
  });

  it("without a tokenizer loads; asking it something is the error", async () => {
    const llava = await load(without(text, "tokenizer.json"));
    await expectTrouble(llava.generate({ prompt: "Hi", template: "none" }), TokenizerError, /tokenizer\.json/);
    await expectTrouble(llava.forward({ prompt: "Hi", template: "none" }), TokenizerError, /tokenizer\.json/);
    await llava.dispose();
  });

  it("without a chat template loads; a prompt that needs one is the error", async () => {
    const llava = await load(await withJson(text, "tokenizer_config.json", (config) => delete config.chat_template));
    await expectTrouble(llava.generate({ prompt: "Hi" }), TokenizerError, /expected a chat template .* template: "none"/);
    expect((await llava.prepare({ prompt: "Hi", template: "none" })).inputIds.length).toBeGreaterThan(0);
    await llava.dispose();
  });

  it("without a processor's files takes the vision tower's own processing", async () => {
    const files = tinyCheckpoint("llava-clip-llama");
    const llava = await load(without(without(files, "preprocessor_config.json"), "processor_config.json"));
    const image = { width: 2, height: 2, data: new Uint8Array(12) };
    const { pixelValues } = await llava.prepare({ prompt: "<image> Hi", template: "none", images: [image] });
    expect(pixelValues[0]!.shape).toEqual([1, 3, 24, 24]);
    await llava.dispose();
  });

  it("whose tokenizer belongs to a larger vocabulary", async () => {
    const llava = await load(
      await withJson<TokenizerJson>(text, "tokenizer.json", (tokenizer) => {
        for (const token of tokenizer.added_tokens) if (token.content === "<s>") token.id = 5000;
        if ("<s>" in tokenizer.model.vocab) tokenizer.model.vocab["<s>"] = 5000;
        delete tokenizer.post_processor;
      }),
    );
    await expectTrouble(llava.generate({ prompt: "<s>Hi", template: "none" }), PromptError, /token ids below 448.* got 5000/);
    await llava.dispose();
  });
});

describe("config.json", () => {
  const config = (edit: (value: Record<string, unknown>) => void) => withJson(text, "config.json", edit);

  it("that is not JSON", () => expectTrouble(load({ ...text, "config.json": new Blob(["{"]) }), WeightError, /config\.json .*is not valid JSON/));
  it("of an unsupported model_type says which are supported", async () => {
    const files = await config((value) => (value.model_type = "gpt2"));
    await expectTrouble(load(files), ConfigError, /model_type: expected one of .*"llava".*"llava_next".*"llava_onevision".*, got "gpt2"/);
  });
  it("with another width", async () => {
    const files = await config((value) => (value.hidden_size = 48));
    await expectTrouble(load(files), WeightError, /expected .* of shape \[448, 48\], got \[448, 40\]; check that config\.json/);
  });
  it("with more layers than the file", async () => {
    const files = await config((value) => (value.num_hidden_layers = 3));
    await expectTrouble(load(files), WeightError, /expected 30 tensors, lacks 9: language\.layers\.2\.norm1\.weight, .* and 4 more; check that/);
  });
  it("with fewer layers than the file", async () => {
    const files = await config((value) => (value.num_hidden_layers = 1));
    await expectTrouble(load(files), WeightError, /got 9 more: model\.layers\.1\..* and 4 more; check that/);
  });
  it("with layers beyond number", async () => {
    const files = await config((value) => (value.num_hidden_layers = 2 ** 31 - 1));
    await expectTrouble(load(files), ConfigError, /num_hidden_layers/);
  });
});

describe("model.safetensors", () => {
  const tensor = "model.norm.weight";
  const cases: [what: string, says: RegExp, edit: (header: Header, data: Uint8Array) => Uint8Array | void][] = [
    ["that is empty", /expected at least 8 bytes, got 0/, () => new Uint8Array(0)],
    ["that ends in its header's length", /expected at least 8 bytes, got 5/, () => new Uint8Array(5)],
    ["that ends in its header", /the header should have \d+ bytes, but only 92 follow/, (header, data) => safetensors(header, data).slice(0, 100)],
    ["that ends in its data", /expected data_offsets inside the 134153 bytes of data; is the file whole\?/, (header, data) => safetensors(header, data).slice(0, -7)],
    ["with more than its data", /the tensors take \d+ bytes, but the file holds \d+/, (header, data) => safetensors(header, longer(data))],
    ["with a huge header", /expected a header of at most 100000000 bytes, got 18446744073709551615/, () => new Uint8Array(64).fill(0xff)],
    ["whose header is no JSON", /is not valid JSON/, (_, data) => safetensors('{"a": ', data)],
    ["whose header is a list", /should be a JSON object/, (_, data) => safetensors("[]", data)],
    ["with overlapping tensors", /overlaps|takes? \d+ bytes/, (header) => void (header[tensor]!.data_offsets = header["lm_head.weight"]!.data_offsets.map((x, i) => (i ? 80 : x)) as [number, number])],
    ["with a tensor outside of the file", /model\.norm\.weight/, (header) => void (header[tensor]!.data_offsets = [1e9, 1e9 + 80])],
    ["with negative offsets", /expected data_offsets/, (header) => void (header[tensor]!.data_offsets = [-80, 0])],
    ["of an unknown dtype", /expected a dtype of .*got "Q9"/, (header) => void (header[tensor]!.dtype = "Q9")],
    ["of integers", /as F32, F16 or BF16, got I16/, (header) => void (header[tensor]!.dtype = "I16")],
    ["with a shape that does not fit its bytes", /model\.norm\.weight/, (header) => void (header[tensor]!.shape = [41])],
    ["with a shape that does not fit the model", /expected model\.norm\.weight of shape \[40\], got \[20, 2\]/, (header) => void (header[tensor]!.shape = [20, 2])],
    ["that lacks a tensor", /lacks 1: language\.norm\.weight; got 1 that have no place in it: model\.norm\.weights; check/, (header) => {
      header["model.norm.weights"] = header[tensor]!;
      delete header[tensor];
    }],
    ["with a tensor too many", /expected the 21 tensors of this model only, got 1 more: model\.extra/, (header, data) => {
      header["model.extra"] = { dtype: "U8", shape: [1], data_offsets: [data.length, data.length + 1] };
      return safetensors(header, longer(data));
    }],
    ["behind Git LFS", /Git LFS pointer/, () => new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")],
  ];
  for (const [what, says, edit] of cases) {
    it(what, async () => expectTrouble(load(await withWeights(text, edit)), WeightError, says));
  }

  it("that turns short while it is read", async () => {
    const real = text["model.safetensors"]!;
    const shrinking = Object.assign(new Blob([real]), {
      slice: (start: number, end: number) => real.slice(start, Math.min(end, 60_000)),
    });
    await expectTrouble(load({ ...text, "model.safetensors": shrinking }), WeightError, /ended early/);
  });
});

describe("an option of load", () => {
  const cases: [options: object, says: RegExp][] = [
    [{ weights: "int3" }, /^weights: expected "auto", "f32" or "f16", got "int3"$/],
    [{ adapter: 5 }, /^adapter: expected a text/],
    [{ device: {} }, /^device: expected a GPUDevice/],
    [{ onProgress: "yes" }, /^onProgress: expected a function, got "yes"$/],
    [{ signal: {} }, /^signal: expected an AbortSignal/],
    [{ weight: "f16" }, /^options: expected only weights, adapter, .*got "weight"$/],
  ];
  for (const [options, says] of cases) it(JSON.stringify(options), () => expectTrouble(load(text, options as LoadOptions), OptionError, says));
  it("null", () => expectTrouble(Llava.load(text, null as never), OptionError, /options: expected an object, got null/));
});

describe("loading that is stopped", () => {
  it("before it begins", async () => {
    await expect(load(text, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });

  for (const phase of ["adapter", "weights"]) {
    it(`by a signal in the phase ${phase}`, async () => {
      const stop = new AbortController();
      const onProgress = (progress: { phase: string }) => progress.phase === phase && stop.abort(new Error("enough"));
      await expect(load(text, { signal: stop.signal, onProgress })).rejects.toThrow("enough");
    });

    it(`by an error of onProgress in the phase ${phase}`, async () => {
      const onProgress = (progress: { phase: string }) => {
        if (progress.phase === phase) throw new RangeError("the caller's own");
      };
      await expect(load(text, { onProgress })).rejects.toThrow(new RangeError("the caller's own"));
    });
  }

  it("leaves no file open", async () => {
    const folder = mkdtempSync(join(tmpdir(), "llava-trouble-"));
    for (const file of readdirSync(goldenPath("tiny/decoder-llama"))) symlinkSync(goldenPath(`tiny/decoder-llama/${file}`), join(folder, file));
    const openFiles = () => readdirSync("/proc/self/fd").length;
    await expect(load(folder, { signal: AbortSignal.abort() })).rejects.toThrow();
    const before = openFiles();
    for (let i = 0; i < 3; i++) {
      const stop = new AbortController();
      await expect(load(folder, { signal: stop.signal, onProgress: ({ phase }) => phase === "weights" && stop.abort() })).rejects.toThrow();
    }
    rmSync(folder, { recursive: true });
    expect(openFiles()).toBeLessThan(before + 3);
  });
});

describe("a device of the caller's", () => {
  const device = async () => (await chooseAdapter(adapter)).adapter.requestDevice();

  it("works with WebGPU's default limits, is not destroyed, and takes a second model", async () => {
    const own = await device();
    const listeners = vi.spyOn(own, "removeEventListener");
    const alone = await load(text);
    const request = { prompt: "Hello there", template: "none" };
    const { tokens } = await alone.generate(request, { maxNewTokens: 4 });
    await alone.dispose();
    for (let i = 0; i < 2; i++) {
      const llava = await load(text, { device: own });
      expect(llava.adapter.how).toBe("given by the caller");
      expect((await llava.generate(request, { maxNewTokens: 4 })).tokens).toEqual(tokens);
      await llava.dispose();
    }
    expect(listeners).toHaveBeenCalledTimes(2);
    own.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE }).destroy();
    await own.queue.onSubmittedWorkDone();
    own.destroy();
  });

  it("that is lost already is an error", async () => {
    const own = await device();
    own.destroy();
    await own.lost;
    await expectTrouble(load(text, { device: own }), DeviceLostError, /the GPU device was lost/);
  });
});

describe("many models one after the other", () => {
  it("return their memory", async () => {
    const sizes: number[] = [];
    for (let i = 0; i < 3; i++) {
      const llava = await load(text);
      await llava.generate({ prompt: "Hello", template: "none" }, { maxNewTokens: 2 });
      expect(opened[i]!.allocated).toBeGreaterThan(0);
      sizes.push(opened[i]!.allocated);
      await llava.dispose();
      expect(opened[i]!.allocated).toBe(0);
    }
    expect(new Set(sizes).size).toBe(1);
  });
});
