import { execFileSync, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, open, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WeightError } from "./error.ts";
import * as browser from "./files.browser.ts";
import * as node from "./files.node.ts";
import { readHeader } from "./safetensors.ts";
import { writeSafetensors } from "./save.ts";

const { createFile, fileExists, listFolder, openFile, pathOfUrl } = node;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "llava-weights-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("openFile", () => {
  it("reads ranges, and nothing once closed", async () => {
    const path = join(folder, "x.bin");
    await writeFile(path, Uint8Array.from({ length: 100 }, (_, i) => i));
    const source = await openFile(path);
    expect([source.name, source.size]).toEqual([path, 100]);
    expect(await source.read(97, 100)).toEqual(Uint8Array.of(97, 98, 99));
    await expect(source.read(97, 101)).rejects.toThrow(/expected a byte range inside \[0, 100\)/);
    await source.close();
    await source.close();
    await expect(source.read(0, 1)).rejects.toThrow(/is closed/);
  });

  it("notices a file that became shorter", async () => {
    const path = join(folder, "x.bin");
    await writeFile(path, new Uint8Array(100));
    const source = await openFile(path);
    await truncate(path, 10);
    await expect(source.read(0, 20)).rejects.toThrow(/ended early: expected 20 bytes, got 10/);
    await source.close();
  });

  it("reads beyond 4 GiB", async () => {
    const path = join(folder, "sparse.safetensors");
    const half = 2 ** 32 + 4;
    const header = JSON.stringify({
      low: { dtype: "U8", shape: [half], data_offsets: [0, half] },
      high: { dtype: "U16", shape: [half / 4, 2], data_offsets: [half, 2 * half] },
    });
    const start = 8 + header.length;
    const handle = await open(path, "w");
    await handle.write(BigUint64Array.of(BigInt(header.length)));
    await handle.write(header);
    await handle.truncate(start + 2 * half);
    await handle.write(Uint8Array.of(1, 2, 3, 4), 0, 4, start + half - 4);
    await handle.write(Uint8Array.of(5, 6, 7, 8), 0, 4, start + 2 * half - 4);
    await handle.close();

    const source = await openFile(path);
    expect(source.size).toBe(start + 2 * half);
    const { tensors } = await readHeader(source);
    const { low, high } = Object.fromEntries(tensors);
    expect(high.end).toBe(source.size);
    expect(await source.read(low.end - 4, high.start + 2)).toEqual(Uint8Array.of(1, 2, 3, 4, 0, 0));
    expect(await source.read(high.end - 6, high.end)).toEqual(Uint8Array.of(0, 0, 5, 6, 7, 8));
    await source.close();
  });

  it("says what is wrong", async () => {
    const missing = join(folder, "no.bin");
    await expect(openFile(missing)).rejects.toMatchObject({
      name: "WeightError",
      message: `cannot open ${missing}: there is no such file`,
    });
    await expect(openFile(folder)).rejects.toMatchObject({
      name: "WeightError",
      message: `expected a file, got ${folder}, which is not one`,
    });
  });

  it.skipIf(process.platform === "win32")("does not wait for a named pipe", async () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    await expect(openFile(pipe)).rejects.toThrow(/expected a file/);
  });
});

describe("createFile", () => {
  it("appears under its name only when closed", async () => {
    const path = join(folder, "new", "out.bin");
    const sink = await createFile(path);
    await sink.write(Uint8Array.of(1, 2));
    await sink.write(Uint8Array.of(3));
    await sink.sync?.();
    expect(await fileExists(path)).toBe(false);
    await sink.close();
    expect([...(await readFile(path))]).toEqual([1, 2, 3]);
    expect(await readdir(join(folder, "new"))).toEqual(["out.bin"]);
  });

  it("leaves the old file and nothing else when aborted", async () => {
    const path = join(folder, "out.bin");
    await writeFile(path, "old");
    const sink = await createFile(path);
    await sink.write(Uint8Array.of(1));
    await sink.abort();
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(folder)).toEqual(["out.bin"]);
  });

  it("cleans up when the name is taken by a folder", async () => {
    const path = join(folder, "taken");
    await mkdir(path);
    const sink = await createFile(path);
    await expect(sink.close()).rejects.toThrow(/^cannot write .*taken: it is a folder$/);
    expect(await readdir(folder)).toEqual(["taken"]);
  });

  it("removes what a killed process left of the same file, and nothing else", async () => {
    const id = "00000000-0000-4000-8000-000000000000";
    const { pid: ended } = spawnSync(process.execPath, ["--version"]);
    const others = [`out.bin.${process.ppid}.${id}.partial`, `out.bin.more.${ended}.${id}.partial`, `out.${ended}.${id}.partial`, "out.bin.partial"];
    const abandoned = [`out.bin.${ended}.${id}.partial`, `out.bin.${process.pid}.${id}.partial`];
    for (const name of [...others, ...abandoned]) await writeFile(join(folder, name), "half");
    const path = join(folder, "out.bin");
    const [first, second] = [await createFile(path), await createFile(path)];
    expect(await readdir(folder)).toHaveLength(others.length + 2);
    expect(await readdir(folder)).toEqual(expect.arrayContaining(others));
    await first.write(Uint8Array.of(1));
    await second.write(Uint8Array.of(2));
    await second.close();
    await first.close();
    expect([...(await readFile(path))]).toEqual([1]);
    expect((await readdir(folder)).toSorted()).toEqual([...others, "out.bin"].toSorted());
  });

  it("saves tensors", async () => {
    const path = join(folder, "model.safetensors");
    const data = Uint8Array.of(1, 2, 3, 4);
    await writeSafetensors(await createFile(path), [{ name: "t", dtype: "F32", shape: [1], data }]);
    const source = await openFile(path);
    const { start, end } = (await readHeader(source)).tensors.get("t")!;
    expect(await source.read(start, end)).toEqual(data);
    await source.close();
  });

  it("leaves nothing of tensors that do not fit", async () => {
    const sink = await createFile(join(folder, "model.safetensors"));
    const bad = writeSafetensors(sink, [{ name: "t", dtype: "F32", shape: [2], data: new Uint8Array(4) }]);
    await expect(bad).rejects.toThrow(WeightError);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe("listFolder and fileExists", () => {
  it("see files and links to files, not folders", async () => {
    await writeFile(join(folder, "b"), "");
    await mkdir(join(folder, "c"));
    await symlink(join(folder, "b"), join(folder, "a"));
    expect(await listFolder(folder)).toEqual(["a", "b"]);
    expect(await Promise.all(["a", "b", "c", "d"].map((name) => fileExists(join(folder, name))))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it("say what is wrong", async () => {
    const file = join(folder, "model.safetensors");
    await writeFile(file, "");
    await expect(listFolder(file)).rejects.toThrow(`expected a model folder, got the file ${file}`);
    await expect(listFolder("no/such")).rejects.toThrow(/^there is no folder no\/such \(looked for \/.*\/no\/such\)$/);
    await expect(listFolder("~/model")).rejects.toThrow(/"~" is not expanded, write the whole path$/);
  });

  it("take file addresses", () => {
    expect(pathOfUrl(pathToFileURL(folder))).toBe(folder);
    expect(() => pathOfUrl(new URL("file://elsewhere/x"))).toThrow(WeightError);
  });
});

describe("the browser's files", () => {
  it("have the same names", () => {
    expect(Object.keys(browser).sort()).toEqual(Object.keys(node).sort());
  });

  it("say that a page cannot open paths", async () => {
    for (const open of [browser.openFile, browser.listFolder, browser.fileExists]) {
      await expect(open("models/x")).rejects.toThrow(/^a browser cannot open the path models\/x; give an http/);
    }
    await expect(browser.createFile("x")).rejects.toThrow(/^a browser cannot write to the path x; write to blobSink/);
    expect(() => browser.pathOfUrl(new URL("file:///x"))).toThrow(WeightError);
    expect(browser.joinPath("a", "b")).toBe("a/b");
  });
});
