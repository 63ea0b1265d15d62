import type { ByteSource } from "../../../weights/source.ts";
import { DataError } from "./error.ts";

/** Bytes that are scanned at once. */
const pieceSize = 4 * 2 ** 20;

const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const NEWLINE = 0x0a;

/** A growing list of byte ranges [start, end), 16 bytes each. */
class Ranges {
  #values = new Float64Array(1024);
  #length = 0;

  get count(): number {
    return this.#length / 2;
  }

  push(start: number, end: number): void {
    if (this.#length === this.#values.length) {
      const grown = new Float64Array(this.#values.length * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#length++] = start;
    this.#values[this.#length++] = end;
  }

  toArray(): Float64Array {
    return this.#values.slice(0, this.#length);
  }
}

/**
 * Where the samples of a data file lie: [start, end) in bytes for each, one after the other. The file is read once, in
 * pieces. A file that begins with `[` is a JSON list of objects; any other has one JSON object on every line (JSONL).
 * What is inside of the objects is looked at only as far as it takes to find their ends.
 *
 * @throws DataError if the file is neither, or ends too early; WeightError if it cannot be read
 */
export async function findSamples(source: ByteSource, signal?: AbortSignal): Promise<Float64Array> {
  let scan: Scan | undefined;
  for (let at = 0; at < source.size; at += pieceSize) {
    const piece = await source.read(at, Math.min(at + pieceSize, source.size), signal);
    let from = at === 0 && piece[0] === 0xef && piece[1] === 0xbb && piece[2] === 0xbf ? 3 : 0;
    if (!scan) {
      while (from < piece.length && isSpace(piece[from])) from++;
      if (from === piece.length) continue;
      scan = startScan(piece[from], source.name);
    }
    scan.take(piece, from, at);
  }
  if (!scan) throw new DataError(source.name, "expected samples, got an empty file");
  return scan.end(source.size).toArray();
}

interface Scan {
  /** Looks at `piece` from index `from` on; the piece lies at byte `offset` of the file. */
  take(piece: Uint8Array, from: number, offset: number): void;
  end(size: number): Ranges;
}

function startScan(first: number, name: string): Scan {
  if (first === OPEN_LIST) return new ListScan(name);
  if (first === OPEN_OBJECT) return new LineScan();
  const got = JSON.stringify(String.fromCharCode(first));
  const expected = "expected a JSON list of samples or one sample on every line";
  throw new DataError(name, `${expected}, got a file that begins with ${got}`);
}

/** One object on every line; lines of white space are passed over. */
class LineScan implements Scan {
  readonly #ranges = new Ranges();
  /** Where the line's first character lies that is not white space. */
  #start = -1;

  take(piece: Uint8Array, from: number, offset: number): void {
    for (let at = from; at < piece.length; at++) {
      if (this.#start < 0) {
        while (at < piece.length && isSpace(piece[at])) at++;
        if (at === piece.length) return;
        this.#start = offset + at;
      }
      at = piece.indexOf(NEWLINE, at);
      if (at < 0) return;
      this.#close(offset + at);
    }
  }

  end(size: number): Ranges {
    if (this.#start >= 0) this.#close(size);
    return this.#ranges;
  }

  #close(end: number): void {
    this.#ranges.push(this.#start, end);
    this.#start = -1;
  }
}

/** A list of objects. */
class ListScan implements Scan {
  readonly #ranges = new Ranges();
  #expect: "list" | "objectOrEnd" | "object" | "commaOrEnd" | "nothing" = "list";
  #start = 0;
  /** Open braces and brackets of the object that is being read. */
  #depth = 0;
  #inText = false;
  #escaped = false;

  constructor(private readonly name: string) {}

  take(piece: Uint8Array, from: number, offset: number): void {
    for (let at = from; at < piece.length; at++) {
      if (this.#depth > 0) at = this.#inside(piece, at, offset);
      else if (!isSpace(piece[at])) this.#between(piece[at], offset + at);
    }
  }

  end(size: number): Ranges {
    if (this.#expect === "nothing") return this.#ranges;
    const where = `${this.#depth > 0 ? "inside of the sample " : ""}behind ${this.#ranges.count} samples`;
    throw new DataError(this.name, `expected "]", got the end of the file at byte ${size}, ${where}; is it whole?`);
  }

  /** Goes on inside of an object; the index of its last byte, or of the piece's. */
  #inside(piece: Uint8Array, from: number, offset: number): number {
    for (let at = from; at < piece.length; at++) {
      const byte = piece[at];
      if (this.#inText) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inText = false;
      } else if (byte === QUOTE) this.#inText = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_LIST) this.#depth++;
      else if ((byte === CLOSE_OBJECT || byte === CLOSE_LIST) && --this.#depth === 0) {
        this.#ranges.push(this.#start, offset + at + 1);
        this.#expect = "commaOrEnd";
        return at;
      }
    }
    return piece.length;
  }

  #between(byte: number, position: number): void {
    const before = this.#expect;
    if (before === "list") {
      this.#expect = "objectOrEnd";
    } else if (byte === OPEN_OBJECT && (before === "object" || before === "objectOrEnd")) {
      this.#start = position;
      this.#depth = 1;
    } else if (byte === CLOSE_LIST && (before === "commaOrEnd" || before === "objectOrEnd")) {
      this.#expect = "nothing";
    } else if (byte === COMMA && before === "commaOrEnd") {
      this.#expect = "object";
    } else {
      const expected = {
        objectOrEnd: 'a sample or "]"',
        object: "a sample, an object in braces",
        commaOrEnd: '"," or "]"',
        nothing: "nothing more",
      }[before];
      const got = JSON.stringify(String.fromCharCode(byte));
      const where = `at byte ${position}, behind ${this.#ranges.count} samples`;
      throw new DataError(this.name, `expected ${expected}, got ${got} ${where}`);
    }
  }
}

/** White space of JSON. */
function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === NEWLINE || byte === 0x0d || byte === 0x09;
}
