/** The choice among adapters that this machine need not have. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { AdapterSource, FoundAdapter } from "./found.ts";
import { bestFirst, foundAdapter } from "./found.ts";

let sources: AdapterSource[];
vi.mock("#adapters", () => ({ adapterAdvice: "plug one in", adapterSources: () => sources }));

function fake(name: string, info: Partial<GPUAdapterInfo> = {}): FoundAdapter {
  const blank = { vendor: "", architecture: "", device: "", description: "", isFallbackAdapter: false };
  const adapter = { info: { ...blank, ...info } };
  const request = async (): Promise<GPUAdapter> => adapter as unknown as GPUAdapter;
  return foundAdapter(adapter as unknown as GPUAdapter, { name, how: "a test", keep: undefined, request });
}

const discrete = fake("NVIDIA H100", { vendor: "nvidia", architecture: "hopper" });
const integrated = fake("Intel(R) UHD Graphics", { vendor: "intel" });
const lavapipe = fake("llvmpipe (LLVM 15.0.6, 256 bits)", { isFallbackAdapter: true });
const swiftShader = fake("SwiftShader Device (Subzero)");

describe("foundAdapter", () => {
  it("tells hardware from software", () => {
    const warp = fake("Microsoft Basic Render Driver");
    const nameless = fake("", { architecture: "swiftshader" });
    expect([lavapipe, swiftShader, warp, nameless].map((found) => found.software)).toEqual([true, true, true, true]);
    expect([discrete, integrated].map((found) => found.software)).toEqual([false, false]);
  });

  it("names lavapipe, and what has no name by what there is", () => {
    expect(lavapipe.name).toBe("lavapipe (llvmpipe, LLVM 15.0.6, 256 bits)");
    expect(fake("", { description: "A driver", vendor: "acme" }).name).toBe("A driver");
    expect(fake("", { vendor: "acme" }).name).toBe("acme");
    expect(fake("").name).toBe("unnamed adapter");
  });
});

describe("bestFirst", () => {
  it("puts hardware before lavapipe before SwiftShader and keeps the order of equals", () => {
    const sorted = [discrete, integrated, lavapipe, swiftShader];
    expect(bestFirst([swiftShader, lavapipe, discrete, integrated])).toEqual(sorted);
  });
});

describe("chooseAdapter", () => {
  let asked: string[];
  let chooseAdapter: typeof import("./adapter.ts").chooseAdapter;
  const source = (how: string, software: boolean, ...adapters: FoundAdapter[]): AdapterSource => ({
    how,
    software,
    find: async () => {
      asked.push(how);
      return adapters;
    },
  });
  beforeEach(async () => {
    asked = [];
    vi.resetModules();
    ({ chooseAdapter } = await import("./adapter.ts"));
  });

  it("asks no further than it must", async () => {
    sources = [source("system", false, discrete, integrated, lavapipe), source("npm", true, swiftShader)];
    expect((await chooseAdapter("auto")).name).toBe(discrete.name);
    expect((await chooseAdapter("gpu")).name).toBe(discrete.name);
    expect((await chooseAdapter("software")).name).toBe(lavapipe.name);
    expect((await chooseAdapter("intel")).name).toBe(integrated.name);
    expect(asked).toEqual(["system"]);
    expect((await chooseAdapter("swift")).name).toBe(swiftShader.name);
    expect(asked).toEqual(["system", "npm"]);
  });

  it("never looks among software drivers for a GPU, and says what it saw", async () => {
    sources = [source("system", false, lavapipe), source("npm", true, swiftShader)];
    await expect(chooseAdapter("gpu")).rejects.toMatchObject({
      name: "DeviceError",
      wanted: "gpu",
      found: ["lavapipe (llvmpipe, LLVM 15.0.6, 256 bits) (a test)"],
      message: expect.stringMatching(/^adapter: expected a hardware GPU, found lavapipe .*; install its driver/),
    });
    expect(asked).toEqual(["system"]);
  });

  it("says what to do when there is nothing at all", async () => {
    sources = [source("system", false), source("npm", true)];
    await expect(chooseAdapter()).rejects.toThrow("adapter: expected any adapter, found none; plug one in");
    await expect(chooseAdapter("software")).rejects.toThrow("expected a software adapter, found none; plug one in");
    await expect(chooseAdapter("toString")).rejects.toThrow('expected one with "toString" in its name, found none;');
  });

  it("asks again after a search that failed", async () => {
    const find = vi.fn(async () => [discrete]).mockRejectedValueOnce(new Error("no such file"));
    sources = [{ how: "system", software: false, find }];
    await expect(chooseAdapter()).rejects.toThrow("no such file");
    expect((await chooseAdapter()).name).toBe(discrete.name);
  });
});
