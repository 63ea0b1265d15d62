import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { CodecName } from "./codecs.ts";

const files: Record<CodecName, string> = {
  jpeg: "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm",
  webp: "@jsquash/webp/codec/dec/webp_dec.wasm",
};

/** The compiled decoder. Its package would fetch a file URL, which Node cannot, so the bytes are read from disk. */
export async function compiledCodec(name: CodecName): Promise<WebAssembly.Module | undefined> {
  return WebAssembly.compile(await readFile(createRequire(import.meta.url).resolve(files[name])));
}
