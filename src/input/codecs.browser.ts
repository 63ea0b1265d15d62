import type { CodecName } from "./codecs.ts";

/** Nothing: in a browser the packages fetch their own wasm file, which the bundler has put beside them. */
export async function compiledCodec(_name: CodecName): Promise<WebAssembly.Module | undefined> {
  return undefined;
}
