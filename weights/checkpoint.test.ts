import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Checkpoint } from "./checkpoint.ts";
import { toFloat32 } from "./dtype.ts";
import { WeightError } from "./error.ts";
import { openFolder } from "./folder.ts";
import type { Folder } from "./folder.ts";
import { writeSafetensors } from "./save.ts";
import type { TensorToWrite } from "./save.ts";
import { blobSink } from "./source.ts";
import type { ByteSource } from "./source.ts";

const golden = (name: string): string => fileURLToPath(new URL(`../test/golden/weights/${name}`, import.meta.url));

async function safetensors(tensors: Record<string, number[]>): Promise<Blob> {
  const sink = blobSink();
  const list = Object.entries(tensors).map(([name, values]): TensorToWrite => {
    return { name, dtype: "U8", shape: [values.length], data: Uint8Array.from(values) };
  });
  await writeSafetensors(sink, list);
  return sink.blob();
}
const only = async (tensors: Record<string, number[]>): Promise<Folder> =>
  openFolder({ "model.safetensors": await safetensors(tensors) });
const json = (value: unknown): Blob => new Blob([JSON.stringify(value)]);
const index = "model.safetensors.index.json";

/** `folder` with a record of what is read and what stays open. */
function watched(folder: Folder): { folder: Folder; bytesRead: () => number; open: () => number } {
  let [bytesRead, open] = [0, 0];
  const watch = (source: ByteSource): ByteSource => {
    open++;
    return {
      ...source,
      read(start, end, signal) {
        bytesRead += end - start;
        return source.read(start, end, signal);
      },
      async close() {
        open--;
        await source.close();
      },
    };
  };
  const watchedFolder = { ...folder, open: async (file: string) => watch(await folder.open(file)) };
  return { folder: watchedFolder, bytesRead: () => bytesRead, open: () => open };
}

describe("Checkpoint", () => {
  it("reads the same values from one float16 file and three bfloat16 shards of another layout", async () => {
    const [half, shards] = await Promise.all(
      ["float16", "shards-bfloat16"].map(async (name) => Checkpoint.open(await openFolder(golden(name)))),
    );
    expect(half.names()).toHaveLength(89);
    expect(shards.names().sort()).toEqual(half.names().sort());
    expect(new Set(shards.names().map((name) => shards.info(name).file)).size).toBe(3);
    for (const name of half.names()) {
      const [a, b] = [half.info(name), shards.info(name)];
      expect([a.dtype, b.dtype, b.shape]).toEqual(["F16", "BF16", a.shape]);
      expect(toFloat32(await half.read(name), "F16"), name).toEqual(toFloat32(await shards.read(name), "BF16"));
    }
    expect(shards.info("language.head.weight").foreignName).toBe("language_model.lm_head.weight");
    expect(half.info("language.head.weight").foreignName).toBe("lm_head.weight");
    await Promise.all([half.close(), shards.close()]);
  });

  it("reads rows, and never more than asked for", async () => {
    const { folder, bytesRead, open } = watched(await openFolder(golden("float16")));
    const checkpoint = await Checkpoint.open(folder);
    const name = "language.embedding.weight";
    const { shape } = checkpoint.info(name);
    const whole = await checkpoint.read(name);
    const rowBytes = whole.length / shape[0];
    const before = bytesRead();
    expect(await checkpoint.read(name, { rows: [3, 7] })).toEqual(whole.slice(3 * rowBytes, 7 * rowBytes));
    expect(bytesRead() - before).toBe(4 * rowBytes);
    expect(await checkpoint.read(name, { rows: [0, shape[0]] })).toEqual(whole);
    expect(await checkpoint.read(name, { rows: [2, 2] })).toEqual(new Uint8Array(0));
    await checkpoint.close();
    expect(open()).toBe(0);
    await checkpoint.close();
    await expect(checkpoint.read(name)).rejects.toThrow(/is closed/);
  });

  it.each([[-1, 2], [2, 1], [0, 4], [0, 1.5], [NaN, 2]])("refuses rows [%d, %d) of 3", async (from, to) => {
    const checkpoint = await Checkpoint.open(await only({ t: [1, 2, 3] }));
    await expect(checkpoint.read("t", { rows: [from, to] })).rejects.toMatchObject({
      name: "WeightError",
      message: `t [3]: expected rows [from, to) inside [0, 3), got [${from}, ${to})`,
    });
  });

  it("refuses rows of a scalar, and reads it whole", async () => {
    const sink = blobSink();
    await writeSafetensors(sink, [{ name: "t", dtype: "U8", shape: [], data: Uint8Array.of(5) }]);
    const checkpoint = await Checkpoint.open(await openFolder({ "model.safetensors": sink.blob() }));
    expect(await checkpoint.read("t")).toEqual(Uint8Array.of(5));
    await expect(checkpoint.read("t", { rows: [0, 0] })).rejects.toThrow(/^t \[\]: expected rows/);
  });

  it("names what is not there, and what was meant", async () => {
    const checkpoint = await Checkpoint.open(await only({ image_newline: [1] }));
    expect([checkpoint.has("newline"), checkpoint.has("newlin")]).toEqual([true, false]);
    expect(() => checkpoint.info("newlin")).toThrow('has no tensor newlin. Did you mean "newline"?');
    await expect(checkpoint.read("newlin")).rejects.toThrow(WeightError);
  });

  it("leaves out what is not needed, keeps what it does not know, and renames as told", async () => {
    const folder = await only({ "model.layers.0.self_attn.rotary_emb.inv_freq": [1], "strange.weight": [2] });
    const checkpoint = await Checkpoint.open(folder);
    expect(checkpoint.names()).toEqual(["strange.weight"]);
    expect(checkpoint.ignored).toEqual(["model.layers.0.self_attn.rotary_emb.inv_freq"]);
    const raw = await Checkpoint.open(folder, { rename: (name) => name });
    expect(raw.names()).toEqual(["model.layers.0.self_attn.rotary_emb.inv_freq", "strange.weight"]);
  });

  it("takes the only safetensors file of another name", async () => {
    const blob = await safetensors({ "mm_projector.0.bias": [1] });
    const folder = await openFolder({ "projector.safetensors": blob, "config.json": json({}) });
    const checkpoint = await Checkpoint.open(folder);
    expect(checkpoint.info("projector.linear1.bias").file).toBe("projector.safetensors");
  });

  it("lets the index decide where two shards hold a tensor", async () => {
    const blobs = {
      [index]: json({ weight_map: { a: "1.safetensors", b: "2.safetensors" } }),
      "1.safetensors": await safetensors({ a: [1], b: [2] }),
      "2.safetensors": await safetensors({ b: [3], extra: [4] }),
    };
    const checkpoint = await Checkpoint.open(await openFolder(blobs));
    expect(checkpoint.names()).toEqual(["a", "b", "extra"]);
    expect(await checkpoint.read("b")).toEqual(Uint8Array.of(3));
  });

  const a = safetensors({ a: [1] });
  const sharded = async (map: unknown, files: Record<string, Blob> = {}): Promise<Record<string, Blob>> => ({
    [index]: json({ weight_map: map }),
    "1.safetensors": await a,
    ...files,
  });
  const twoShards = { a: "1.safetensors", b: "2.safetensors" };
  it.each<[string, () => Promise<Record<string, Blob>>, RegExp]>([
    ["no weights", async () => ({ "config.json": json({}) }), /holds no weights: expected model.safetensors or /],
    ["pickles", async () => ({ "pytorch_model-00001-of-00002.bin": json(0) }), /PyTorch pickles \(pytorch_model-/],
    ["two files", async () => ({ "a.safetensors": await a, "b.safetensors": await a }), /several other files: a.safet/],
    ["a missing shard", () => sharded(twoShards), /the shard 2.safetensors, listed in model.*index.json, is missing/],
    ["a shard that leads away", () => sharded({ a: "../1.safetensors" }), /a file inside the folder, got "..\/1.safet/],
    ["an index without map", async () => ({ [index]: json([]) }), /expected \{ "weight_map": /],
    ["an index of null", async () => ({ [index]: json(null) }), /expected \{ "weight_map": /],
    ["an index with numbers", () => sharded({ a: 1 }), /expected \{ "weight_map": /],
    ["a broken index", async () => ({ [index]: new Blob(["{"]) }), /index.json of the chosen files is not valid JSON/],
    ["an index that errs", () => sharded({ b: "1.safetensors" }), /says that 1.safetensors holds b, but it does not$/],
    ["a broken shard", () => sharded(twoShards, { "2.safetensors": json(0) }), /^2.safetensors is not a valid /],
    [
      "two names for one tensor",
      async () => ({ "model.safetensors": await safetensors({ image_newline: [1], "model.image_newline": [2] }) }),
      /both image_newline .* and model.image_newline .* are newline$/,
    ],
    [
      "two shards with a tensor that is not in the index",
      async () => sharded({ a: "1.safetensors", b: "2.safetensors" }, {
        "1.safetensors": await safetensors({ a: [1], c: [1] }),
        "2.safetensors": await safetensors({ b: [1], c: [1] }),
      }),
      /both c \(1.safetensors\) and c \(2.safetensors\) are c$/,
    ],
  ])("refuses %s, and leaves nothing open", async (_, blobs, message) => {
    const { folder, open } = watched(await openFolder(await blobs()));
    const error = await Checkpoint.open(folder).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WeightError);
    expect((error as WeightError).message).toMatch(message);
    expect(open()).toBe(0);
  });

  it("can be aborted", async () => {
    const folder = await openFolder(golden("float16"));
    const signal = AbortSignal.abort();
    await expect(Checkpoint.open(folder, { signal })).rejects.toMatchObject({ name: "AbortError" });
    const checkpoint = await Checkpoint.open(folder);
    const read = checkpoint.read("language.norm.weight", { signal });
    await expect(read).rejects.toMatchObject({ name: "AbortError" });
    await checkpoint.close();
  });
});
