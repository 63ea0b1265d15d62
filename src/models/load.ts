/** From a checkpoint's tensors to the GPU: every tensor accounted for, read by ranges, cast on the way. */
import type { WeightType } from "../../kernels/kernel.ts";
import { type Checkpoint, type DType, fromFloat32, toFloat32, WeightError } from "../../weights/index.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { elements, type Parameter, type ParameterBlock, type ParameterPart, shapeText } from "../graph/tensor.ts";

/** Bytes of a checkpoint that are held on the host at once. */
const PIECE = 8 * 2 ** 20;

/** Tensors that published checkpoints carry although the model may not use them: CLIP's last norm, a head beside tied embeddings. */
const UNUSED = [/^vision\.postNorm\./, /^language\.head\./];

export interface LoadOptions {
  /** How matrices are kept: "auto" keeps the file's precision. Biases, norms and positions are always f32. */
  readonly weights?: "auto" | "f32" | "f16";
  /** Called after every piece with the bytes read so far and in all. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
  /** Bytes that one binding may have; the adapter's limit unless a test lowers it. */
  readonly maxBindingBytes?: number;
}

/**
 * Fills the blocks of every parameter. Throws `WeightError` for missing, unexpected and mis-shaped tensors before
 * anything is read, `GpuMemoryError` if the device is too small, and the signal's reason when aborted.
 */
export async function loadWeights(
  parameters: ReadonlyMap<string, Parameter>,
  checkpoint: Checkpoint,
  gpu: Gpu,
  { weights = "auto", onProgress, signal, maxBindingBytes = gpu.limits.maxStorageBufferBindingSize }: LoadOptions = {},
): Promise<void> {
  const parts = matchTensors(parameters, checkpoint);
  const total = parts.map(({ name }) => checkpoint.info(name)).reduce((sum, { start, end }) => sum + end - start, 0);
  let done = 0;
  let queued = 0;
  const read = async (part: ParameterPart, rows: readonly [number, number]): Promise<Uint8Array> => {
    signal?.throwIfAborted();
    const bytes = await checkpoint.read(part.name, { rows, ...(signal ? { signal } : {}) });
    // The queue takes copies of what is written; waiting here keeps them from piling up.
    if (queued + bytes.byteLength > PIECE) {
      await gpu.idle();
      queued = 0;
    }
    queued += bytes.byteLength;
    done += bytes.byteLength;
    onProgress?.(done, total);
    return bytes;
  };

  for (const parameter of parameters.values()) {
    const dtypeOf = (part: ParameterPart): DType => checkpoint.info(part.name).dtype;
    const type = storedType(parameter, new Set(parameter.parts.map(dtypeOf)), weights);
    parameter.blocks = await loadBlocks(parameter, type, gpu, maxBindingBytes, dtypeOf, read);
  }
  await gpu.idle();
}

/** Frees the blocks of every parameter. */
export function freeWeights(parameters: ReadonlyMap<string, Parameter>, gpu: Gpu): void {
  for (const parameter of parameters.values()) {
    for (const block of parameter.blocks) gpu.free(block.buffer);
    parameter.blocks = [];
  }
}

/** Refuses a checkpoint that lacks tensors, has others, or has them in other shapes; returns the parts of all parameters. */
function matchTensors(parameters: ReadonlyMap<string, Parameter>, checkpoint: Checkpoint): ParameterPart[] {
  const parts = [...parameters.values()].flatMap((parameter) => parameter.parts);
  const wanted = new Set(parts.map(({ name }) => name));
  const missing = parts.filter(({ name }) => !checkpoint.has(name)).map(({ name }) => name);
  const unexpected = checkpoint
    .names()
    .filter((name) => !wanted.has(name) && !UNUSED.some((pattern) => pattern.test(name)))
    .map((name) => checkpoint.info(name).foreignName);
  const advice = "check that config.json belongs to these weights";
  if (missing.length > 0) {
    const others = unexpected.length > 0 ? `; got ${unexpected.length} that have no place in it: ${listed(unexpected)}` : "";
    throw new WeightError(`${checkpoint.name}: expected ${parts.length} tensors, lacks ${missing.length}: ${listed(missing)}${others}; ${advice}`, {
      tensor: missing[0]!,
    });
  }
  if (unexpected.length > 0) {
    throw new WeightError(`${checkpoint.name}: expected the ${parts.length} tensors of this model only, got ${unexpected.length} more: ${listed(unexpected)}; ${advice}`, {
      tensor: unexpected[0]!,
    });
  }
  for (const part of parts) {
    const { foreignName, shape, dtype } = checkpoint.info(part.name);
    const [expected, got] = [shapeText(part.shape), shapeText(shape)];
    if (expected !== got) {
      throw new WeightError(`${checkpoint.name}: expected ${foreignName} of shape ${expected}, got ${got}; ${advice}`, { tensor: foreignName, expected, got });
    }
    if (!["F32", "F16", "BF16"].includes(dtype)) {
      const message = `${checkpoint.name}: expected ${foreignName} as F32, F16 or BF16, got ${dtype}; convert the checkpoint first`;
      throw new WeightError(message, { tensor: foreignName, expected: "F32, F16 or BF16", got: dtype });
    }
  }
  return parts;
}

function listed(names: readonly string[]): string {
  return names.slice(0, 5).join(", ") + (names.length > 5 ? `, and ${names.length - 5} more` : "");
}

/** How a parameter is kept. Parts of one stack share a buffer, so they share a type; mixed files are kept in f32. */
function storedType(parameter: Parameter, dtypes: ReadonlySet<string>, weights: "auto" | "f32" | "f16"): WeightType {
  if (parameter.kind === "vector") return "f32";
  if (weights !== "auto") return weights;
  return dtypes.size === 1 ? ([...dtypes][0]!.toLowerCase() as WeightType) : "f32";
}

/** Reads a parameter piece by piece into as few buffers as the binding limit allows. */
async function loadBlocks(
  parameter: Parameter,
  type: WeightType,
  gpu: Gpu,
  maxBindingBytes: number,
  dtypeOf: (part: ParameterPart) => DType,
  read: (part: ParameterPart, rows: readonly [number, number]) => Promise<Uint8Array>,
): Promise<ParameterBlock[]> {
  const elementBytes = type === "f32" ? 4 : 2;
  const matrix = parameter.kind === "matrix";
  const rows = matrix ? parameter.shape[0]! : parameter.parts.reduce((sum, part) => sum + part.shape[0]!, 0);
  const width = elements(parameter.shape) / rows;
  const rowBytes = width * elementBytes;
  const rowsPerBlock = matrix ? Math.min(rows, Math.floor(maxBindingBytes / rowBytes)) : rows;
  if (rowsPerBlock === 0 || (!matrix && rows * rowBytes > maxBindingBytes)) {
    throw new WeightError(`${parameter.path}: a row of ${rowBytes} bytes exceeds the adapter's binding limit of ${maxBindingBytes}; choose another adapter`, {
      tensor: parameter.path,
    });
  }

  const blocks: ParameterBlock[] = [];
  for (let first = 0; first < rows; first += rowsPerBlock) {
    const count = Math.min(rowsPerBlock, rows - first);
    const buffer = await gpu.allocateStorage(parameter.path, count * rowBytes);
    const shape = matrix ? [count, width] : parameter.shape;
    blocks.push({ label: parameter.path, shape, type, buffer, firstRow: first });
  }

  // Rows of odd width in two-byte types begin between words: such (small) matrices are assembled whole.
  const pieceRows = rowBytes % 4 === 0 ? Math.max(1, Math.floor(PIECE / rowBytes)) : rows;
  const write = (row: number, bytes: Uint8Array): void => {
    for (const block of blocks) {
      const from = Math.max(row, block.firstRow);
      const to = Math.min(row + Math.round(bytes.byteLength / rowBytes), block.firstRow + rowsPerBlock);
      if (from >= to) continue;
      gpu.write(block.buffer, (from - block.firstRow) * rowBytes, padded(bytes.subarray((from - row) * rowBytes, (to - row) * rowBytes)));
    }
  };

  const whole: Uint8Array[] = [];
  let at = 0;
  for (const part of parameter.parts) {
    const partRows = part.shape[0]!;
    for (let row = 0; row < partRows; row += pieceRows) {
      const piece = [row, Math.min(partRows, row + pieceRows)] as const;
      const bytes = cast(await read(part, piece), dtypeOf(part), type);
      if (rowBytes % 4 === 0) write(at + row, bytes);
      else whole.push(bytes);
    }
    at += partRows;
  }
  if (whole.length > 0) write(0, joined(whole));
  return blocks;
}

function cast(bytes: Uint8Array, dtype: DType, type: WeightType): Uint8Array {
  const target = type.toUpperCase() as DType;
  if (dtype === target) return bytes;
  const values = toFloat32(bytes, dtype);
  return target === "F32" ? new Uint8Array(values.buffer, values.byteOffset, values.byteLength) : fromFloat32(values, target);
}

/** A copy filled up with zeros to a multiple of 4 bytes, as a queue takes them. */
function padded(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength % 4 === 0) return bytes;
  const copy = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4);
  copy.set(bytes);
  return copy;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.byteLength;
  }
  return all;
}
