import { TokenizerError, reason } from "./error.ts";
import { parseJson } from "./json.ts";

/** Files by name, wherever they lie: on a disk, behind a URL, in a browser's file list. */
export interface TokenizerFolder {
  has(name: string): Promise<boolean>;
  /** @throws if the file is not there */
  text(name: string): Promise<string>;
}

/** Reads and parses a JSON file, or gives `undefined` where there is none. @throws TokenizerError if it is not JSON */
export async function readJson(folder: TokenizerFolder, file: string): Promise<unknown> {
  return (await folder.has(file)) ? parseJson(await folder.text(file), file) : undefined;
}

/**
 * Opens a path of Node's file system: a folder, or one file in it.
 *
 * Gives the folder and the name of the file that is meant (`tokenizer.json` if the path is a folder).
 * @throws TokenizerError in a browser, or if nothing can be read there
 */
export async function openPath(path: string): Promise<{ folder: TokenizerFolder; file: string }> {
  const fs = await nodeFileSystem(path);
  let isFolder: boolean;
  try {
    isFolder = (await fs.stat(path)).isDirectory();
  } catch (cause) {
    throw new TokenizerError(
      `Tokenizer.load: expected a folder or a tokenizer.json at "${path}", got nothing readable (${reason(cause)})`,
      { cause },
    );
  }
  const cut = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  const root = isFolder ? path : path.slice(0, Math.max(cut, 0)) || (cut === 0 ? "/" : ".");
  const file = isFolder ? "tokenizer.json" : path.slice(cut + 1);
  const folder: TokenizerFolder = {
    has: (name) => fs.access(`${root}/${name}`).then(() => true, () => false),
    text: (name) => fs.readFile(`${root}/${name}`, "utf8"),
  };
  return { folder, file };
}

async function nodeFileSystem(path: string): Promise<typeof import("node:fs/promises")> {
  const host = typeof process === "undefined" ? undefined : process.release?.name;
  if (host !== "node") {
    throw new TokenizerError(
      `Tokenizer.load: a path can be read in Node only, got "${path}" in a browser; ` +
        "pass an object with has(name) and text(name)",
    );
  }
  // Known only when it runs: bundlers for browsers fold a constant, and then stumble over the name.
  const name = `${process.release.name}:fs/promises`;
  return import(/* @vite-ignore */ name);
}
