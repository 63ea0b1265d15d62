import { WeightError } from "./error.ts";
import type { ByteSink, ByteSource } from "./source.ts";

/** Always throws: a page cannot open paths. */
export async function openFile(path: string): Promise<ByteSource> {
  throw noPaths(path);
}

/** Always throws: a page cannot write to paths; use `blobSink`. */
export async function createFile(path: string): Promise<ByteSink> {
  throw new WeightError(`a browser cannot write to the path ${path}; write to blobSink() and offer it as a download`, {
    file: path,
  });
}

/** Always throws: a page cannot write to paths. */
export async function appendText(path: string, _text: string): Promise<void> {
  throw noPaths(path);
}

/** Always throws: a page cannot open paths. */
export async function fileExists(path: string): Promise<boolean> {
  throw noPaths(path);
}

/** Always throws: a page cannot open paths. */
export async function listFolder(path: string): Promise<string[]> {
  throw noPaths(path);
}

/** Path of `file` inside the folder `path`. */
export function joinPath(path: string, file: string): string {
  return `${path}/${file}`;
}

/** Always throws: a page cannot open `file:` addresses. */
export function pathOfUrl(url: URL): string {
  throw noPaths(url.href);
}

function noPaths(path: string): WeightError {
  return new WeightError(`a browser cannot open the path ${path}; give an http(s) address or the chosen files`, {
    file: path,
  });
}
