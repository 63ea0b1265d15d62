import type { JpegHeader, JpegSegment } from "./jpeg.ts";

/** Reads entropy-coded bits: stuffed zeros are skipped, markers stop it. */
class BitReader {
  #held = 0;
  #count = 0;
  #padding = 0;

  constructor(
    readonly bytes: Uint8Array,
    public at: number,
    readonly end: number,
  ) {}

  /** The next 16 bits, without consuming them; zeros beyond the end. */
  peek(): number {
    while (this.#count <= 16) {
      let byte = 0;
      if (this.at < this.end && (this.bytes[this.at] !== 0xff || this.bytes[this.at + 1] === 0)) {
        byte = this.bytes[this.at];
        this.at += byte === 0xff ? 2 : 1;
      } else this.#padding += 8;
      this.#held = (this.#held << 8) | byte;
      this.#count += 8;
    }
    return (this.#held >>> (this.#count - 16)) & 0xffff;
  }

  skip(length: number): void {
    this.#count -= length;
    if (this.#count < this.#padding) throw new Error("the entropy-coded data ends early");
  }

  /** Drops the rest of the byte and steps over a restart marker; gives its number. */
  restart(): number {
    const marker = this.bytes[this.at + 1];
    if (this.bytes[this.at] !== 0xff || marker < 0xd0 || marker > 0xd7) throw new Error("a restart marker is missing");
    this.at += 2;
    this.#held = this.#count = this.#padding = 0;
    return marker;
  }
}

/** Bytes that grow, and entropy-coded bits put into them. */
class BitWriter {
  #bytes = new Uint8Array(4096);
  #length = 0;
  #held = 0;
  #count = 0;

  append(bytes: ArrayLike<number>): void {
    while (this.#length + bytes.length > this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  put(value: number, length: number): void {
    this.#held = (this.#held << length) | value;
    this.#count += length;
    while (this.#count >= 8) {
      this.#count -= 8;
      const byte = (this.#held >>> this.#count) & 255;
      this.append(byte === 255 ? [255, 0] : [byte]);
    }
  }

  /** Fills the last byte with ones. */
  flush(): void {
    if (this.#count > 0) this.put((1 << (8 - this.#count)) - 1, 8 - this.#count);
  }

  result(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

/** For every 16 bits that can come: length of the code they begin with x 256 + its symbol; 0 where there is none. */
type HuffmanTable = Uint16Array;

/** Adds the tables of a DHT segment; the key is class x 16 + number. */
function readTables(data: Uint8Array, tables: Map<number, HuffmanTable>): void {
  for (let at = 0; at + 17 <= data.length; ) {
    const table = new Uint16Array(65536);
    const counts = data.subarray(at + 1, at + 17);
    let symbol = at + 17;
    let code = 0;
    for (let length = 1; length <= 16; length++) {
      const span = 1 << (16 - length);
      for (let i = 0; i < counts[length - 1]; i++, code += span) {
        if (code + span > 65536 || symbol >= data.length) throw new Error("a Huffman table makes no sense");
        table.fill(length * 256 + data[symbol++], code, code + span);
      }
    }
    tables.set(data[at], table);
    at = symbol;
  }
}

/** Copies one code and gives its symbol. */
function copyCode(table: HuffmanTable | undefined, from: BitReader, to: BitWriter): number {
  const bits = from.peek();
  const entry = table?.[bits] ?? 0;
  const length = entry >> 8;
  if (length === 0) throw new Error("a Huffman code is unknown");
  from.skip(length);
  to.put(bits >> (16 - length), length);
  return entry & 255;
}

function copyBits(length: number, from: BitReader, to: BitWriter): void {
  if (length === 0) return;
  if (length > 16) throw new Error("a coefficient is too long");
  to.put(from.peek() >> (16 - length), length);
  from.skip(length);
}

/** One member of a scan: which plane, and its DC and AC tables. */
interface Member {
  readonly plane: number;
  readonly dc?: HuffmanTable;
  readonly ac?: HuffmanTable;
}

/** What the head of a scan says. */
interface Scan {
  readonly members: readonly Member[];
  /** Spectral selection and successive approximation: the last three bytes of the head. */
  readonly tail: Uint8Array;
  /** Restarts come after so many blocks of a component; 0: never. */
  readonly interval: number;
  readonly blocks: number;
}

function copyBlock(member: Member, refining: boolean, last: number, from: BitReader, to: BitWriter): void {
  if (refining) return copyBits(1, from, to);
  copyBits(copyCode(member.dc, from, to), from, to);
  for (let k = 1; k <= last; k++) {
    const symbol = copyCode(member.ac, from, to);
    if (symbol === 0) break;
    k += symbol >> 4;
    copyBits(symbol & 15, from, to);
  }
}

/** Deals the blocks of an interleaved scan out to the planes of its members. */
function splitScan(bytes: Uint8Array, segment: JpegSegment, scan: Scan, planes: readonly BitWriter[]): void {
  const from = new BitReader(bytes, segment.end, segment.scanEnd);
  const [, last, approximation] = scan.tail;
  const refining = approximation >> 4 !== 0;
  for (let block = 0; block < scan.blocks; block++) {
    if (scan.interval > 0 && block > 0 && block % scan.interval === 0) {
      const marker = from.restart();
      for (const { plane } of scan.members) {
        planes[plane].flush();
        planes[plane].append([0xff, marker]);
      }
    }
    for (const member of scan.members) copyBlock(member, refining, last, from, planes[member.plane]);
  }
  for (const { plane } of scan.members) planes[plane].flush();
}

/**
 * The components of a Huffman-coded JPEG without subsampling, each as a grey JPEG of its own. No coefficient changes:
 * the bits of every block are copied, so that the planes decode to exactly what the decoder makes of the components.
 * Every block keeps its place and its predecessor, because an interleaved unit holds one block of each component.
 */
export function splitPlanes(bytes: Uint8Array, header: JpegHeader): Uint8Array[] {
  const { components, segments, width, height } = header;
  const planes = components.map(() => new BitWriter());
  const tables = new Map<number, HuffmanTable>();
  const blocks = Math.ceil(width / 8) * Math.ceil(height / 8);
  let interval = 0;
  for (const plane of planes) plane.append([0xff, 0xd8]);
  for (const segment of segments) {
    const { marker, data } = segment;
    if (marker === header.frame) {
      for (const [i, plane] of planes.entries()) {
        plane.append([0xff, marker, 0, 11, ...data.subarray(0, 5), 1, components[i].id, 0x11, data[8 + 3 * i]]);
      }
    } else if (marker === 0xdb || marker === 0xc4 || marker === 0xdd) {
      if (marker === 0xc4) readTables(data, tables);
      if (marker === 0xdd) interval = data[0] * 256 + data[1];
      for (const plane of planes) plane.append(bytes.subarray(segment.start, segment.end));
    } else if (marker === 0xda) {
      const tail = data.subarray(1 + 2 * data[0]);
      const members = Array.from({ length: data[0] }, (_, i) => {
        const [id, choice] = data.subarray(1 + 2 * i, 3 + 2 * i);
        const plane = components.findIndex((component) => component.id === id);
        if (plane < 0 || tail.length < 3) throw new Error("a scan makes no sense");
        planes[plane].append([0xff, 0xda, 0, 8, 1, id, choice, ...tail.subarray(0, 3)]);
        return { plane, dc: tables.get(choice >> 4), ac: tables.get(16 + (choice & 15)) };
      });
      if (members.length === 1) planes[members[0].plane].append(bytes.subarray(segment.end, segment.scanEnd));
      else splitScan(bytes, segment, { members, tail, interval, blocks }, planes);
    }
  }
  for (const plane of planes) plane.append([0xff, 0xd9]);
  return planes.map((plane) => plane.result());
}
