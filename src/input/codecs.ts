import { compiledCodec } from "#codecs";

/** The decoders that are compiled to wasm: mozjpeg, Rust's png and libwebp, as packaged by jSquash. */
export type CodecName = "jpeg" | "png" | "webp";

/** Decoded pixels, four bytes each, alpha not premultiplied. */
export interface Rgba {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

type Decode = (bytes: Uint8Array) => Promise<Rgba>;
type Init = (module?: WebAssembly.Module, options?: object) => Promise<unknown>;

/** The decoders hand their pixels over as `ImageData`, which Node does not have. */
class PlainImageData {
  constructor(
    readonly data: Uint8ClampedArray,
    readonly width: number,
    readonly height: number,
  ) {}
}

const open: Record<CodecName, () => Promise<Decode>> = {
  jpeg: async () => {
    const codec = await import("@jsquash/jpeg/decode.js");
    await start(codec.init as Init, "jpeg");
    return (bytes) => codec.default(exactBuffer(bytes));
  },
  png: async () => {
    const codec = await import("@jsquash/png/decode.js");
    await (codec.init as Init)(await compiledCodec("png"));
    return (bytes) => codec.decode(exactBuffer(bytes));
  },
  webp: async () => {
    const codec = await import("@jsquash/webp/decode.js");
    await start(codec.init as Init, "webp");
    return (bytes) => codec.default(exactBuffer(bytes));
  },
};

/** Starts an Emscripten module; libjpeg's remarks about damaged data do not belong on the console. */
async function start(init: Init, name: CodecName): Promise<void> {
  const compiled = await compiledCodec(name);
  const quiet = { print: () => {}, printErr: () => {} };
  await (compiled ? init(compiled, quiet) : init(quiet as unknown as WebAssembly.Module));
}

function exactBuffer(bytes: Uint8Array): ArrayBuffer {
  const whole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
  return (whole ? bytes.buffer : bytes.slice().buffer) as ArrayBuffer;
}

const opened = new Map<CodecName, Promise<Decode>>();

/**
 * Decodes with the named codec, which is loaded at the first call. After a failure the codec is started afresh: a
 * decoder that stopped half-way keeps memory and may be in any state.
 */
export async function decodeWith(name: CodecName, bytes: Uint8Array): Promise<Rgba> {
  globalThis.ImageData ??= PlainImageData as unknown as typeof ImageData;
  if (!opened.has(name)) opened.set(name, open[name]());
  const decoder = opened.get(name);
  try {
    return await (await (decoder as Promise<Decode>))(bytes);
  } catch (error) {
    if (opened.get(name) === decoder) opened.delete(name);
    throw error;
  }
}
