import { dtypeBytes, isDType } from "./dtype.ts";
import type { DType } from "./dtype.ts";
import { WeightError } from "./error.ts";
import { elementCount, headerLimit, lengthBytes } from "./safetensors.ts";
import type { ByteSink } from "./source.ts";

/** One tensor to be written. */
export interface TensorToWrite {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The elements, little-endian: at once, or in pieces, for instance from an async generator that reads a GPU. */
  readonly data: Uint8Array | AsyncIterable<Uint8Array>;
}

/**
 * Writes a safetensors file to `sink` and closes it; on any error the sink is aborted, so that no half file is left.
 *
 * The tensors' data follow each other in the given order, and `data` is taken when its turn comes, so a model larger
 * than memory can be saved. The header is padded with spaces so that the data start at a multiple of 8 bytes.
 *
 * @param metadata strings for `__metadata__`; transformers wants `{ format: "pt" }`.
 * @throws WeightError for a bad name, type, shape or size of data; `signal.reason` if aborted.
 */
export async function writeSafetensors(
  sink: ByteSink,
  tensors: Iterable<TensorToWrite>,
  metadata: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<void> {
  try {
    const list = [...tensors];
    await sink.write(headerBytes(list, metadata, sink.name));
    for (const tensor of list) {
      const expected = byteCount(tensor, sink.name);
      let written = 0;
      for await (const bytes of tensor.data instanceof Uint8Array ? [tensor.data] : tensor.data) {
        signal?.throwIfAborted();
        written += bytes.length;
        if (written > expected) throw wrongSize(tensor, sink.name, expected, written);
        await sink.write(bytes);
      }
      if (written !== expected) throw wrongSize(tensor, sink.name, expected, written);
    }
    signal?.throwIfAborted();
  } catch (error) {
    await sink.abort();
    throw error;
  }
  await sink.close();
}

function headerBytes(
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>>,
  file: string,
): Uint8Array {
  const names = new Set(["__metadata__"]);
  const members: string[] = [];
  const add = (name: string, value: unknown): void => {
    members.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
  };
  if (Object.keys(metadata).length > 0) add("__metadata__", metadata);
  let at = 0;
  for (const tensor of tensors) {
    const { name, dtype, shape } = tensor;
    const end = at + byteCount(tensor, file);
    if (names.has(name)) {
      throw new WeightError(`writeSafetensors: the name ${name} is taken; names must differ`, { file, tensor: name });
    }
    names.add(name);
    add(name, { dtype, shape, data_offsets: [at, end] });
    at = end;
  }
  const json = new TextEncoder().encode(`{${members.join(",")}}`);
  const length = Math.ceil(json.length / 8) * 8;
  if (length > headerLimit) {
    throw new WeightError(`writeSafetensors: expected a header of at most ${headerLimit} bytes, got ${length}`, {
      file,
      expected: headerLimit,
      got: length,
    });
  }
  const bytes = new Uint8Array(lengthBytes + length).fill(" ".charCodeAt(0));
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, lengthBytes);
  return bytes;
}

function byteCount({ name, dtype, shape }: TensorToWrite, file: string): number {
  const count = elementCount(shape);
  if (count === undefined || !isDType(dtype)) {
    throw new WeightError(
      `writeSafetensors: tensor ${name}: expected a known dtype and a shape of non-negative integers, got ${dtype} ` +
        `${JSON.stringify(shape)}`,
      { file, tensor: name, got: { dtype, shape } },
    );
  }
  return count * dtypeBytes[dtype];
}

function wrongSize({ name, dtype, shape }: TensorToWrite, file: string, expected: number, got: number): WeightError {
  return new WeightError(
    `writeSafetensors: tensor ${name}: ${dtype} [${shape.join(", ")}] takes ${expected} bytes, got ${got}`,
    { file, tensor: name, expected, got },
  );
}
