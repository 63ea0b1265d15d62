import { describe, expect, it } from "vitest";
import { ProgramCache } from "./program-cache.ts";

/** A cache of three programs of 10 bytes, and a record of what was compiled and disposed of. */
function cacheOfThree() {
  const cache = new ProgramCache<{ readonly program: { readonly bytes: number; dispose(): void } }>(3);
  const compiled: string[] = [];
  const disposed: string[] = [];
  const get = (key: string) =>
    cache.get(key, async () => {
      compiled.push(key);
      if (key === "broken") throw new Error("does not compile");
      return { program: { bytes: 10, dispose: () => void disposed.push(key) } };
    });
  return { cache, compiled, disposed, get };
}

describe("ProgramCache", () => {
  it("compiles once, also for callers at the same time", async () => {
    const { compiled, get } = cacheOfThree();
    const [first, second] = await Promise.all([get("a"), get("a")]);
    expect(second).toBe(first);
    expect(await get("a")).toBe(first);
    expect(compiled).toEqual(["a"]);
  });

  it("disposes of the program that was not used for the longest time", async () => {
    const { cache, compiled, disposed, get } = cacheOfThree();
    for (const key of ["a", "b", "c", "a", "d"]) await get(key);
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(disposed).toEqual(["b"]);
    expect(await cache.bytes()).toBe(30);
    await get("b");
    expect(compiled).toEqual(["a", "b", "c", "d", "b"]);
  });

  it("forgets what does not compile", async () => {
    const { cache, compiled, get } = cacheOfThree();
    for (let attempt = 0; attempt < 2; attempt++) await expect(get("broken")).rejects.toThrow("does not compile");
    expect(compiled).toEqual(["broken", "broken"]);
    expect(await cache.bytes()).toBe(0);
  });

  it("is as new after `clear`, and keeps what is asked for meanwhile", async () => {
    const { cache, compiled, disposed, get } = cacheOfThree();
    await get("a");
    const failing = get("broken").catch(() => undefined);
    const cleared = cache.clear();
    await get("b");
    await Promise.all([cleared, failing]);
    expect(disposed).toEqual(["a"]);
    await get("a");
    await get("b");
    expect(compiled).toEqual(["a", "broken", "b", "a"]);
  });
});
