import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WeightError } from "./error.ts";
import { openFolder } from "./folder.ts";
import type { Folder, FolderSource } from "./folder.ts";

const texts: Record<string, string> = {
  "config.json": '\ufeff{"model_type": "llava"}',
  "broken.json": '{\n  "a": 1,\n}',
  "sub/x.txt": "deep",
  "a b#?.txt": "odd name",
};
const latin1 = Uint8Array.of(0xe9);
const blobs = new Map<string, Blob>([
  ...Object.entries(texts).map(([name, text]) => [name, new Blob([text])] as const),
  ["latin1.txt", new Blob([latin1])],
]);

let path: string;
let server: Server;
let address: string;

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), "llava-folder-"));
  await mkdir(join(path, "sub"));
  for (const [name, blob] of blobs) await writeFile(join(path, name), new Uint8Array(await blob.arrayBuffer()));
  server = createServer((request, response) => {
    const url = new URL(request.url!, "http://x");
    const blob = blobs.get(decodeURIComponent(url.pathname).replace("/models/tiny/", ""));
    if (blob === undefined || url.search !== "?key=1") return void response.writeHead(404).end();
    void blob.arrayBuffer().then((buffer) => response.end(new Uint8Array(buffer)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/models/tiny?key=1`;
});
afterAll(async () => {
  await rm(path, { recursive: true });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const chosen = (prefix: string): File[] =>
  [...blobs].map(([name, blob]) => {
    const file = new File([blob], name.split("/").at(-1)!);
    return Object.defineProperty(file, "webkitRelativePath", { value: prefix + name });
  });

describe.each<[string, () => FolderSource]>([
  ["a path", () => path],
  ["a relative path", () => relative(process.cwd(), path)],
  ["a file: address", () => pathToFileURL(path)],
  ["a file: address as text", () => pathToFileURL(path).href],
  ["an http: address", () => address],
  ["an http: URL", () => new URL(address)],
  ["a Map of Blobs", () => blobs],
  ["a record of Blobs", () => Object.fromEntries(blobs)],
  ["pairs", () => [...blobs]],
  ["chosen files", () => chosen("tiny/")],
])("openFolder of %s", (_, source) => {
  const open = (): Promise<Folder> => openFolder(source());

  it("reads text, JSON and ranges", async () => {
    const folder = await open();
    expect(await folder.text("sub/x.txt")).toBe("deep");
    expect(await folder.text("a b#?.txt")).toBe("odd name");
    expect(await folder.json("config.json")).toEqual({ model_type: "llava" });
    const file = await folder.open("sub/x.txt");
    expect(new TextDecoder().decode(await file.read(1, 3))).toBe("ee");
    await file.close();
  });

  it("knows what is there", async () => {
    const folder = await open();
    expect(await Promise.all(["config.json", "sub/x.txt", "sub", "no.json"].map((f) => folder.has(f)))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    const list = await folder.list();
    if (list !== undefined) expect(list).toContain("config.json");
    expect(folder.name).not.toContain("key=1");
  });

  it("says what is wrong", async () => {
    const folder = await open();
    const errorOf = async (work: Promise<unknown>): Promise<string> => {
      const error = await work.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(WeightError);
      return (error as WeightError).message;
    };
    expect(await errorOf(folder.text("no.json"))).toBe(`${folder.name} has no file no.json.`);
    expect(await errorOf(folder.open("no.json"))).toMatch(/no file .*no\.json/);
    expect(await errorOf(folder.json("broken.json"))).toBe(
      `broken.json of ${folder.name} is not valid JSON: unexpected "}" at line 3, column 1`,
    );
    expect(await errorOf(folder.text("latin1.txt"))).toMatch(/^latin1.txt of .* is not UTF-8 text/);
    for (const name of ["../x", "/etc/passwd", "a//b", "", ".", "a\\b"]) {
      expect(await errorOf(folder.text(name))).toMatch(/^expected the name of a file inside the folder, got "/);
      expect(await errorOf(folder.has(name))).toMatch(/inside the folder/);
      expect(await errorOf(folder.open(name))).toMatch(/inside the folder/);
    }
  });

  it("can be aborted", async () => {
    const folder = await open();
    await expect(folder.text("config.json", AbortSignal.abort())).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("openFolder", () => {
  it("suggests a near name where it can list", async () => {
    const folder = await openFolder(blobs);
    await expect(folder.text("conifg.json")).rejects.toThrow('has no file conifg.json. Did you mean "config.json"?');
  });

  it("takes plain files by their names", async () => {
    expect(await (await openFolder(chosen("").slice(0, 2))).list()).toEqual(["broken.json", "config.json"]);
  });

  it.each<[string, unknown, RegExp]>([
    ["nothing", undefined, /expected a path, an address, files or named Blobs, got undefined$/],
    ["null", null, /got null$/],
    ["a number", 7, /got number$/],
    ["one Blob", new Blob([]), /got a Blob$/],
    ["a list of texts", ["a"], /expected Files or \[name, Blob\] pairs, got string$/],
    ["a record of texts", { a: "b" }, /pairs, got a Array$/],
    ["one name twice", [["a", new Blob([])], ["a", new Blob([])]], /two files are named a$/],
    ["an ftp: address", new URL("ftp://x/y"), /expected a file:, http: or https: address, got ftp:$/],
    ["a broken address", "http://", /expected an address, got http:\/\/$/],
    ["a missing path", "no/such/folder", /^there is no folder no\/such\/folder/],
  ])("refuses %s", async (_, source, message) => {
    const error = await openFolder(source as FolderSource).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WeightError);
    expect((error as WeightError).message).toMatch(message);
  });
});
