import { afterEach, describe, expect, it, vi } from "vitest";
import { adapterSources } from "./adapters.browser.ts";
import { DeviceError } from "./error.ts";

afterEach(() => vi.unstubAllGlobals());

const info = { vendor: "acme", architecture: "", device: "", description: "Acme GPU", isFallbackAdapter: false };

describe("adapters in the browser", () => {
  it("says what to do without WebGPU", async () => {
    for (const navigator of [undefined, {}]) {
      vi.stubGlobal("navigator", navigator);
      const error = await adapterSources()[0].find().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(DeviceError);
      expect(String(error)).toMatch(/navigator.gpu must exist.*https/);
    }
  });

  it("asks for the fast adapter, then any, then the fallback", async () => {
    const requestAdapter = vi.fn(async () => null);
    vi.stubGlobal("navigator", { gpu: { requestAdapter } });
    for (const source of adapterSources()) expect(await source.find()).toEqual([]);
    expect(requestAdapter.mock.calls).toEqual([
      [{ powerPreference: "high-performance" }],
      [{}],
      [{ forceFallbackAdapter: true }],
    ]);
  });

  it("gives a fresh adapter for every device, or says that it is gone", async () => {
    const requestAdapter = vi.fn().mockImplementation(async () => ({ info }));
    vi.stubGlobal("navigator", { gpu: { requestAdapter } });
    const [found] = await adapterSources()[0].find();
    expect(found).toMatchObject({ name: "Acme GPU", vendor: "acme", software: false });
    expect(await found.request()).not.toBe(found.adapter);
    requestAdapter.mockResolvedValue(null);
    await expect(found.request()).rejects.toThrow(DeviceError);
  });
});
