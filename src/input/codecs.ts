import { compiledCodec } from "#codecs";

/** The decoders that are compiled to wasm: mozjpeg and libwebp, as packaged by jSquash. */
export type CodecName = "jpeg" | "webp";

/** Decoded pixels, four bytes each, alpha not premultiplied. */
export interface Rgba {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

type Decode = (bytes: ArrayBuffer) => Promise<Rgba>;

/** A package's `init` also takes a compiled module as its first argument, which its types do not say. */
type Init = (...args: [WebAssembly.Module, object] | [object]) => Promise<void>;

const load = {
  jpeg: () => import("@jsquash/jpeg/decode.js"),
  webp: () => import("@jsquash/webp/decode.js"),
};

/** Starts a decoder; what it remarks about damaged data does not belong on the console. */
async function start(name: CodecName): Promise<Decode> {
  const [codec, compiled] = await Promise.all([load[name](), compiledCodec(name)]);
  const quiet = { print: () => {}, printErr: () => {} };
  const init = codec.init as Init;
  await (compiled ? init(compiled, quiet) : init(quiet));
  return codec.default;
}

const started = new Map<CodecName, Promise<Decode>>();

/**
 * Decodes with the named codec, which is loaded at the first call. After a failure the codec is started afresh: a
 * decoder that stopped half-way keeps memory and may be in any state.
 */
export async function decodeWith(name: CodecName, bytes: Uint8Array): Promise<Rgba> {
  const decoder = started.get(name) ?? start(name);
  started.set(name, decoder);
  const whole = bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength;
  try {
    return await (await decoder)(whole ? (bytes.buffer as ArrayBuffer) : bytes.slice().buffer);
  } catch (error) {
    if (started.get(name) === decoder) started.delete(name);
    throw error;
  }
}
