/** The npm packages of drawings, names and fonts, found in a folder of their own: the library does not depend on them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { LlavaError } from "llava-webgpu";

/** Where `npm install` in this folder puts them. */
export const defaultPackages = fileURLToPath(new URL("node_modules", import.meta.url));

/** A package, a font or a rendered file that is missing or not what it should be. */
export class EmojiDataError extends LlavaError {
  override name = "EmojiDataError";
  readonly path: string;

  constructor(message: string, path: string) {
    super(message);
    this.path = path;
  }
}

/** The part of sharp's interface that the drawings need. */
export interface SharpImage {
  ensureAlpha(): SharpImage;
  extract(box: { left: number; top: number; width: number; height: number }): SharpImage;
  resize(width: number, height: number, options: object): SharpImage;
  raw(): SharpImage;
  toBuffer(options: { resolveWithObject: true }): Promise<{ data: Uint8Array; info: { width: number; height: number } }>;
}

/** Opens a file's bytes, or raw pixels. */
export type Sharp = (
  bytes: Uint8Array,
  options?: { raw?: { width: number; height: number; channels: 4 }; limitInputPixels?: boolean },
) => SharpImage;

/** A folder of installed packages. */
export class Packages {
  readonly folder: string;

  /** @throws EmojiDataError when there is no such folder */
  constructor(folder: string = defaultPackages) {
    this.folder = resolve(folder);
    if (!existsSync(this.folder)) {
      throw new EmojiDataError(`packages: no folder ${this.folder}; run npm install in examples/train-emoji`, this.folder);
    }
  }

  /** A file of a package, as bytes. @throws EmojiDataError, like all of these, when it is missing */
  bytes(path: string): Uint8Array {
    return readFileSync(this.#find(path));
  }

  /** A JSON file of a package; the caller knows its type. */
  json<T>(path: string): T {
    return JSON.parse(new TextDecoder().decode(this.bytes(path))) as T;
  }

  /** The names of the files in a package's folder, sorted. */
  list(path: string): string[] {
    return readdirSync(this.#find(path)).sort();
  }

  /** A package's code. */
  load<T>(name: string): T {
    return createRequire(import.meta.url)(this.#find(name)) as T;
  }

  #find(path: string): string {
    const found = join(this.folder, path);
    if (existsSync(found)) return found;
    throw new EmojiDataError(`packages: ${path} is missing in ${this.folder}; run npm install in examples/train-emoji`, found);
  }
}
