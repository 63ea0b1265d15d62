import { fileExists, joinPath, listFolder, openFile, pathOfUrl } from "#files";
import { reason, WeightError } from "./error.ts";
import { httpBytes, httpExists, httpSource } from "./http.ts";
import { parseJson } from "./json.ts";
import { didYouMean } from "./nearest.ts";
import { blobSource } from "./source.ts";
import type { ByteSource } from "./source.ts";

/** A named set of files: a model folder on disk, behind HTTP, or chosen in a page. */
export interface Folder {
  /** Path or address, for messages. */
  readonly name: string;
  /** File names, sorted; undefined where they cannot be listed (HTTP). */
  list(): Promise<readonly string[] | undefined>;
  has(file: string, signal?: AbortSignal): Promise<boolean>;
  /** The file as UTF-8 text, without a byte order mark. */
  text(file: string, signal?: AbortSignal): Promise<string>;
  json(file: string, signal?: AbortSignal): Promise<unknown>;
  /** The file as a source; whoever opens it closes it. */
  open(file: string, signal?: AbortSignal): Promise<ByteSource>;
}

/** What {@link openFolder} takes. */
export type FolderSource =
  | string
  | URL
  | FileList
  | Iterable<File | readonly [string, Blob]>
  | Readonly<Record<string, Blob>>
  | ReadonlyMap<string, Blob>;

/** Longest file that is read as text. */
const textBytes = 256 * 2 ** 20;

/** The few things in which kinds of folders differ; all the rest is common. */
interface Place {
  readonly name: string;
  list(): Promise<readonly string[] | undefined>;
  has(file: string, signal?: AbortSignal): Promise<boolean>;
  bytes(file: string, signal?: AbortSignal): Promise<Uint8Array | undefined>;
  open(file: string, signal?: AbortSignal): Promise<ByteSource>;
}

/**
 * Opens a model folder.
 *
 * @param source a path (Node; relative to the working directory, `~` is not expanded), an `http:`, `https:` or `file:`
 * address of the folder, the `FileList` of an `<input webkitdirectory>` (the top folder's name is taken off), or Blobs
 * by name.
 * @throws WeightError if it is not a folder. The files' own errors come when they are opened.
 */
export async function openFolder(source: FolderSource): Promise<Folder> {
  if (typeof source === "string" && !/^(https?|file):\/\//i.test(source)) return folder(await pathPlace(source));
  if (typeof source === "string" || source instanceof URL) {
    const url = urlOf(source);
    if (url.protocol === "file:") return folder(await pathPlace(pathOfUrl(url)));
    if (url.protocol === "http:" || url.protocol === "https:") return folder(httpPlace(url));
    throw new WeightError(`openFolder: expected a file:, http: or https: address, got ${url.protocol}`, {
      file: url.href,
      got: url.protocol,
    });
  }
  return folder(blobPlace(namedBlobs(source)));
}

function folder(place: Place): Folder {
  const missing = async (file: string): Promise<WeightError> => {
    const names = (await place.list()) ?? [];
    return new WeightError(`${place.name} has no file ${file}.${didYouMean(file, names)}`, { file });
  };
  const text = async (file: string, signal?: AbortSignal): Promise<string> => {
    const bytes = await place.bytes(checkName(file), signal);
    if (bytes === undefined) throw await missing(file);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch (error) {
      const message = `${file} of ${place.name} is not UTF-8 text: ${reason(error)}`;
      throw new WeightError(message, { file, expected: "UTF-8" }, { cause: error });
    }
  };
  return {
    name: place.name,
    list: () => place.list(),
    has: async (file, signal) => place.has(checkName(file), signal),
    text,
    json: async (file, signal) => parseJson(await text(file, signal), `${file} of ${place.name}`),
    async open(file, signal) {
      // Asking a server first would cost a request and hide why it refuses.
      const known = (await place.list()) === undefined || (await place.has(checkName(file), signal));
      if (!known) throw await missing(file);
      return place.open(checkName(file), signal);
    },
  };
}

async function pathPlace(path: string): Promise<Place> {
  await listFolder(path);
  const has = (file: string): Promise<boolean> => fileExists(joinPath(path, file));
  const open = (file: string): Promise<ByteSource> => openFile(joinPath(path, file));
  const bytes = async (file: string, signal?: AbortSignal): Promise<Uint8Array | undefined> =>
    (await has(file)) ? readAll(await open(file), signal) : undefined;
  return { name: path, list: () => listFolder(path), has, bytes, open };
}

function blobPlace(blobs: ReadonlyMap<string, Blob>): Place {
  const open = (file: string): ByteSource => blobSource(blobs.get(file)!, file);
  return {
    name: "the chosen files",
    list: async () => [...blobs.keys()].sort(),
    has: async (file) => blobs.has(file),
    bytes: async (file, signal) => (blobs.has(file) ? readAll(open(file), signal) : undefined),
    open: async (file) => open(file),
  };
}

function httpPlace(url: URL): Place {
  const base = new URL(url);
  base.pathname = base.pathname.replace(/\/*$/, "/");
  const at = (file: string): URL => {
    const address = new URL(base);
    address.pathname += file.split("/").map(encodeURIComponent).join("/");
    return address;
  };
  return {
    name: base.origin + base.pathname,
    list: async () => undefined,
    has: (file, signal) => httpExists(at(file), signal),
    bytes: (file, signal) => httpBytes(at(file), textBytes, signal),
    open: (file, signal) => httpSource(at(file), signal),
  };
}

async function readAll(source: ByteSource, signal?: AbortSignal): Promise<Uint8Array> {
  try {
    if (source.size > textBytes) {
      throw new WeightError(`${source.name}: expected a text of at most ${textBytes} bytes, got ${source.size}`, {
        file: source.name,
        expected: textBytes,
        got: source.size,
      });
    }
    return await source.read(0, source.size, signal);
  } finally {
    await source.close();
  }
}

/** A name may come from an index file, so it must not lead out of the folder. */
function checkName(file: string): string {
  const parts = typeof file === "string" ? file.split("/") : [""];
  if (parts.some((part) => part === "" || part === "." || part === "..") || /[\\\0]/.test(file)) {
    throw new WeightError(`expected the name of a file inside the folder, got ${JSON.stringify(file)}`, {
      file: String(file),
    });
  }
  return file;
}

function urlOf(source: string | URL): URL {
  try {
    return new URL(source);
  } catch (error) {
    throw new WeightError(`openFolder: expected an address, got ${String(source)}`, { got: source }, { cause: error });
  }
}

function namedBlobs(source: Exclude<FolderSource, string | URL>): Map<string, Blob> {
  if (typeof source !== "object" || source === null || source instanceof Blob) {
    throw new WeightError(`openFolder: expected a path, an address, files or named Blobs, got ${describe(source)}`, {
      got: source,
    });
  }
  const items: Iterable<unknown> = Symbol.iterator in source ? source : Object.entries(source);
  const blobs = new Map<string, Blob>();
  for (const item of items) {
    const [name, blob] = item instanceof File ? [fileName(item), item] : Array.isArray(item) ? item : [];
    if (typeof name !== "string" || !(blob instanceof Blob)) {
      throw new WeightError(`openFolder: expected Files or [name, Blob] pairs, got ${describe(item)}`, { got: item });
    }
    if (blobs.has(name)) throw new WeightError(`openFolder: two files are named ${name}`, { file: name });
    blobs.set(name, blob);
  }
  return blobs;
}

/** Path below the chosen folder, whose own name comes first in `webkitRelativePath`. */
function fileName(file: File): string {
  const path = file.webkitRelativePath ?? "";
  return path.includes("/") ? path.slice(path.indexOf("/") + 1) : file.name;
}

function describe(value: unknown): string {
  if (value === null || typeof value !== "object") return value === null ? "null" : typeof value;
  return `a ${value.constructor?.name ?? "object"}`;
}
