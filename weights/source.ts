import { reason, WeightError } from "./error.ts";

/** Bytes that are read by range: a file, a Blob, a file behind HTTP. */
export interface ByteSource {
  /** Path, file name or address, for messages. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  /**
   * Bytes [start, end) in a new array.
   *
   * @throws WeightError if the range is not inside the source or the bytes cannot be had; `signal.reason` if aborted.
   */
  read(start: number, end: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** Frees what the source holds; idempotent. Reading afterwards is an error. */
  close(): Promise<void>;
}

/** Where a file is written to, in order. End with either `close` or `abort`. */
export interface ByteSink {
  /** Path or file name, for messages. */
  readonly name: string;
  /** Appends `bytes`; they may be reused once the promise resolves. */
  write(bytes: Uint8Array): Promise<void>;
  /** Everything is written: brings it to the disk, where that takes time, so that `close` is quick. */
  sync?(): Promise<void>;
  /** The file is complete: it appears under its name. */
  close(): Promise<void>;
  /** The file is not wanted: nothing of it is left. */
  abort(): Promise<void>;
}

/** Long reads and writes go in pieces of this many bytes, so that they can be aborted between two pieces. */
export const pieceBytes = 64 * 2 ** 20;

/**
 * A {@link ByteSource} over `size` bytes that are read piece by piece.
 *
 * @param readPiece fills `into` from byte `start`; a promise of how many bytes came, 0 at the end.
 */
export function pieceSource(
  name: string,
  size: number,
  readPiece: (into: Uint8Array, start: number) => Promise<number>,
  closeSource: () => Promise<void>,
): ByteSource {
  let closed: Promise<void> | undefined;
  return {
    name,
    size,
    async read(start, end, signal) {
      if (closed !== undefined) throw new WeightError(`${name} is closed, so it cannot be read`, { file: name });
      const bytes = newRange(name, size, start, end);
      for (let done = 0; done < bytes.length; ) {
        signal?.throwIfAborted();
        const into = bytes.subarray(done, done + pieceBytes);
        const got = await readPiece(into, start + done).catch((error: unknown) => {
          throw new WeightError(`cannot read ${name}: ${reason(error)}`, { file: name }, { cause: error });
        });
        if (got === 0) throw tooShort(name, bytes.length, done);
        done += got;
      }
      signal?.throwIfAborted();
      return bytes;
    },
    close: () => (closed ??= closeSource()),
  };
}

/** The bytes of a Blob or File as a source; nothing is read before it is asked for. */
export function blobSource(blob: Blob, name = blob instanceof File ? blob.name : "blob"): ByteSource {
  const readPiece = async (into: Uint8Array, start: number): Promise<number> => {
    const piece = await blob.slice(start, start + into.length).arrayBuffer();
    into.set(new Uint8Array(piece));
    return piece.byteLength;
  };
  return pieceSource(name, blob.size, readPiece, async () => {});
}

/** A sink that keeps the file in memory; `blob()` gives it, for instance as a download in the browser. */
export function blobSink(name = "blob"): ByteSink & { blob(): Blob } {
  let parts: Blob[] = [];
  return {
    name,
    async write(bytes) {
      parts.push(new Blob([bytes as Uint8Array<ArrayBuffer>]));
    },
    async close() {},
    async abort() {
      parts = [];
    },
    blob: () => new Blob(parts),
  };
}

/** A zeroed array for bytes [start, end) of a source; throws a WeightError if the range is not inside. */
export function newRange(name: string, size: number, start: number, end: number): Uint8Array<ArrayBuffer> {
  if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end && end <= size)) {
    throw new WeightError(`${name}: expected a byte range inside [0, ${size}), got [${start}, ${end})`, {
      file: name,
      expected: [0, size],
      got: [start, end],
    });
  }
  try {
    return new Uint8Array(end - start);
  } catch (error) {
    throw new WeightError(
      `${name}: no memory for ${end - start} bytes at once; read fewer rows at a time`,
      { file: name, got: end - start },
      { cause: error },
    );
  }
}

/** The error for a source that ends before the bytes that it promised. */
export function tooShort(name: string, expected: number, got: number): WeightError {
  return new WeightError(`${name} ended early: expected ${expected} bytes, got ${got}; did the file change?`, {
    file: name,
    expected,
    got,
  });
}
