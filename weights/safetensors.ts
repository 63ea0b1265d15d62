import { dtypeBytes, isDType } from "./dtype.ts";
import type { DType } from "./dtype.ts";
import { reason, WeightError } from "./error.ts";
import { duplicateKey, parseJson } from "./json.ts";
import type { ByteSource } from "./source.ts";

/** Where one tensor lies in a safetensors file. */
export interface TensorEntry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** First byte, counted from the start of the file. */
  readonly start: number;
  /** The byte behind the last one. */
  readonly end: number;
}

/** What the header of a safetensors file says. */
export interface SafetensorsHeader {
  /** By name, in the header's order. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Longest header that is accepted, as in the reference implementation. */
export const headerLimit = 100_000_000;

/** Bytes of the little-endian header length in front of the header. */
export const lengthBytes = 8;

/**
 * Reads and checks the header of a safetensors file: u64 length N (little-endian), N bytes of JSON
 * `{ name: { dtype, shape, data_offsets: [start, end] }, ... }`, then the data, which the tensors fill without a gap.
 * Reads only those 8 + N bytes.
 *
 * Follows the format's description and the checks of the `safetensors` crate.
 *
 * @throws WeightError naming the file, the tensor and what is wrong with it; `signal.reason` if aborted.
 */
export async function readHeader(source: ByteSource, signal?: AbortSignal): Promise<SafetensorsHeader> {
  const file = source.name;
  const start = await source.read(0, Math.min(source.size, 24), signal);
  if (new TextDecoder().decode(start).startsWith("version https://git-lfs")) {
    throw new WeightError(`${file} is a Git LFS pointer, not the weights; run "git lfs pull" or download the file`, {
      file,
    });
  }
  if (start.length < lengthBytes) {
    throw broken(file, `expected at least ${lengthBytes} bytes, got ${start.length}`, lengthBytes, start.length);
  }
  const claimed = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  if (claimed > headerLimit) {
    throw broken(file, `expected a header of at most ${headerLimit} bytes, got ${claimed}`, headerLimit, claimed);
  }
  const length = Number(claimed);
  const room = source.size - lengthBytes;
  if (length > room) {
    throw broken(file, `the header should have ${length} bytes, but only ${room} follow; is it whole?`, length, room);
  }
  return parseHeader(await source.read(lengthBytes, lengthBytes + length, signal), file, source.size);
}

/**
 * Checks the JSON bytes of a header; see {@link readHeader}.
 *
 * @param size bytes of the whole file.
 */
export function parseHeader(bytes: Uint8Array, file: string, size: number): SafetensorsHeader {
  const text = decode(bytes, file);
  if (!text.startsWith("{")) throw broken(file, "the header should be a JSON object", "{", text.slice(0, 1));
  const header = parseJson(text, `the header of ${file}`) as Record<string, unknown>;
  const twice = duplicateKey(text);
  if (twice !== undefined) throw broken(file, `the header holds "${twice}" twice`, undefined, twice);

  const dataStart = lengthBytes + bytes.length;
  const tensors = new Map<string, TensorEntry>();
  let metadata: Readonly<Record<string, string>> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") metadata = checkMetadata(value, file);
    else tensors.set(name, checkEntry(name, value, file, dataStart, size));
  }
  checkCover(tensors, file, dataStart, size);
  return { tensors, metadata };
}

/**
 * Number of elements of a shape, the product of its sizes (1 for a scalar); undefined if some size is not a
 * non-negative integer or the product is not exact.
 */
export function elementCount(shape: unknown): number | undefined {
  if (!isSizes(shape)) return undefined;
  const count = shape.reduce((product, size) => product * size, 1);
  return Number.isSafeInteger(count) ? count : undefined;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw broken(file, `the header is not UTF-8 text (${reason(error)})`, "UTF-8", undefined);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function checkMetadata(value: unknown, file: string): Record<string, string> {
  if (!isObject(value) || !Object.values(value).every((entry) => typeof entry === "string")) {
    throw broken(file, "__metadata__ should map names to strings", "strings", value);
  }
  return value as Record<string, string>;
}

function checkEntry(name: string, value: unknown, file: string, dataStart: number, size: number): TensorEntry {
  const wrong = (what: string, expected: unknown, got: unknown): WeightError =>
    new WeightError(`${file}: tensor ${name}: ${what}, got ${short(got)}`, { file, tensor: name, expected, got });
  if (!isObject(value)) throw wrong("expected an object { dtype, shape, data_offsets }", "object", value);

  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDType(dtype)) throw wrong(`expected a dtype of ${Object.keys(dtypeBytes).join(", ")}`, "dtype", dtype);
  const count = elementCount(shape);
  if (count === undefined) throw wrong("expected a shape of non-negative integers", "shape", shape);
  if (!isSizes(offsets) || offsets.length !== 2) {
    throw wrong("expected data_offsets [start, end]", "[start, end]", offsets);
  }
  const [start, end] = offsets;
  const room = size - dataStart;
  if (start > end || end > room) {
    const hint = end > room ? "; is the file whole?" : "";
    throw wrong(`expected data_offsets inside the ${room} bytes of data${hint}`, [0, room], offsets);
  }
  const expected = count * dtypeBytes[dtype];
  if (end - start !== expected) {
    throw wrong(`expected data_offsets that span ${expected} bytes for ${dtype} ${short(shape)}`, expected, offsets);
  }
  return { dtype, shape: shape as number[], start: dataStart + start, end: dataStart + end };
}

/** The tensors must fill the data from its first to its last byte, so nothing overlaps and nothing hides in between. */
function checkCover(tensors: ReadonlyMap<string, TensorEntry>, file: string, dataStart: number, size: number): void {
  const sorted = [...tensors].sort(([, a], [, b]) => a.start - b.start || a.end - b.end);
  let at = dataStart;
  for (const [name, { start, end }] of sorted) {
    if (start !== at) {
      const what = start < at ? "overlaps the one before it" : "leaves a gap to the one before it";
      throw new WeightError(
        `${file}: tensor ${name} ${what}: expected it to start at byte ${at - dataStart} of the data, got ` +
          `${start - dataStart}`,
        { file, tensor: name, expected: at - dataStart, got: start - dataStart },
      );
    }
    at = end;
  }
  if (at !== size) {
    const [expected, got] = [at - dataStart, size - dataStart];
    throw broken(file, `the tensors take ${expected} bytes, but the file holds ${got} bytes of data`, expected, got);
  }
}

function broken(file: string, what: string, expected: unknown, got: unknown): WeightError {
  return new WeightError(`${file} is not a valid safetensors file: ${what}`, { file, expected, got });
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
