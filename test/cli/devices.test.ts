/** `llava devices`, as built. */
import { describe, expect, it } from "vitest";
import { llava } from "./run-cli.ts";

describe("llava devices", () => {
  it("names every adapter, where it was found and which one is taken", async () => {
    const { status, stdout, stderr } = await llava(["devices"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^SwiftShader .*\n {2}found +SwiftShader of .*\n {2}kind +software/m);
    expect(stdout.match(/ <- "auto" takes this one$/gm)).toHaveLength(1);
    expect(stdout.split("\n").filter((line) => line.startsWith("  features") && line.length > 100)).toEqual([]);
  });

  it("tells the same as JSON", async () => {
    const { status, stdout } = await llava(["devices", "--json"]);
    expect(status).toBe(0);
    const { auto, adapters } = JSON.parse(stdout) as { auto: string; adapters: Record<string, unknown>[] };
    expect(adapters.map(({ name }) => name)).toContain(auto);
    for (const adapter of adapters) {
      expect(adapter).toEqual({
        name: expect.any(String),
        vendor: expect.any(String),
        architecture: expect.any(String),
        description: expect.any(String),
        software: expect.any(Boolean),
        how: expect.any(String),
        features: expect.arrayContaining(["core-features-and-limits"]),
        limits: expect.objectContaining({ maxStorageBufferBindingSize: expect.any(Number) }),
      });
    }
  });
});
