import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Checkpoint, createFile, openFolder, toFloat32, writeSafetensors } from "llava-webgpu/weights";
import { afterAll, describe, expect, it } from "vitest";
import { averageModels } from "./average.ts";

const root = mkdtempSync(join(tmpdir(), "llava-average-"));
afterAll(() => rmSync(root, { recursive: true }));

async function write(name: string, values: readonly number[]): Promise<string> {
  const folder = join(root, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "config.json"), '{\n  "dtype": "float32",\n  "model_type": "llava"\n}\n');
  writeFileSync(join(folder, "training.safetensors"), "moments");
  const data = new Uint8Array(Float32Array.from(values).buffer);
  await writeSafetensors(await createFile(join(folder, "model.safetensors")), [{ name: "a.weight", dtype: "F32", shape: [values.length], data }]);
  return folder;
}

describe("averaging models", () => {
  it("writes the mean in the type wanted, with the other files of the first", async () => {
    const folders = [await write("one", [1, 2, -3]), await write("two", [2, 2, 5]), await write("three", [6, 2, 1])];
    const output = join(root, "mean");
    await averageModels(folders, output, "f16");
    const checkpoint = await Checkpoint.open(await openFolder(output), { rename: (name) => name });
    expect([...toFloat32(await checkpoint.read("a.weight"), checkpoint.info("a.weight").dtype)]).toEqual([3, 2, 1]);
    await checkpoint.close();
    expect(JSON.parse(readFileSync(join(output, "config.json"), "utf8"))).toEqual({ dtype: "float16", model_type: "llava" });
  });

  it("says which models have other shapes", async () => {
    const folders = [await write("small", [1]), await write("large", [1, 2])];
    await expect(averageModels(folders, join(root, "none"))).rejects.toThrow(/expected models of one shape, got .*small and .*large/);
  });
});
