/**
 * Makes JPEGs of four components readable for mozjpeg's wasm build, which refuses them, by taking one component out.
 *
 * No library serves here: jpeg-js 0.4.4 reads such files, but its inverse transform and its upsampling are not
 * libjpeg's, so that its pixels differ from PIL's (by up to 12 of 255 in test/golden/pillow).
 */
import type { JpegComponent, JpegHeader, JpegSegment } from "./jpeg.ts";

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

/** Reads one code, copies it to `to` if there is one, and gives its symbol. */
function copyCode(table: HuffmanTable | undefined, from: BitReader, to: BitWriter | undefined): number {
  const bits = from.peek();
  const entry = table?.[bits] ?? 0;
  const length = entry >> 8;
  if (length === 0) throw new Error("a Huffman code is unknown");
  from.skip(length);
  to?.put(bits >> (16 - length), length);
  return entry & 255;
}

function copyBits(length: number, from: BitReader, to: BitWriter | undefined): void {
  if (length === 0) return;
  if (length > 16) throw new Error("a coefficient is too long");
  const bits = from.peek();
  to?.put(bits >> (16 - length), length);
  from.skip(length);
}

/** One component of a scan: its tables, its blocks in an interleaved unit, and whether it stays. */
interface Member {
  readonly stays: boolean;
  readonly blocks: number;
  readonly dc?: HuffmanTable;
  readonly ac?: HuffmanTable;
}

function copyBlock(member: Member, refining: boolean, last: number, from: BitReader, to: BitWriter | undefined): void {
  if (refining) return copyBits(1, from, to);
  copyBits(copyCode(member.dc, from, to), from, to);
  for (let k = 1; k <= last; k++) {
    const symbol = copyCode(member.ac, from, to);
    if (symbol === 0) break;
    k += symbol >> 4;
    copyBits(symbol & 15, from, to);
  }
}

/** Copies the entropy-coded data of a scan of several components, block by block, without those that do not stay. */
function copyScan(
  bytes: Uint8Array,
  segment: JpegSegment,
  members: readonly Member[],
  units: number,
  interval: number,
  to: BitWriter,
): void {
  const from = new BitReader(bytes, segment.end, segment.scanEnd);
  const [, last, approximation] = segment.data.subarray(segment.data.length - 3);
  const refining = approximation >> 4 !== 0;
  for (let unit = 0; unit < units; unit++) {
    if (interval > 0 && unit > 0 && unit % interval === 0) {
      const marker = from.restart();
      to.flush();
      to.append([0xff, marker]);
    }
    for (const member of members) {
      for (let i = 0; i < member.blocks; i++) copyBlock(member, refining, last, from, member.stays ? to : undefined);
    }
  }
  to.flush();
}

/**
 * A Huffman-coded JPEG without its component number `left`, with Adobe's marker for the colour transform `transform`
 * (0: none, 1: YCbCr). No coefficient changes: the bits of every block that stays are copied, so that the others decode
 * to exactly what they were. Throws an `Error` if the data makes no sense.
 */
export function leaveOut(bytes: Uint8Array, header: JpegHeader, left: number, transform: 0 | 1): Uint8Array {
  const { components, segments, width, height } = header;
  const stays = components.map((_, i) => i !== left);
  const kept = components.filter((_, i) => stays[i]);
  const factor = (of: readonly JpegComponent[], key: "h" | "v") => Math.max(...of.map((component) => component[key]));
  const [across, down] = [factor(components, "h"), factor(components, "v")];
  if (factor(kept, "h") !== across || factor(kept, "v") !== down) throw new Error("the subsampling is not supported");
  const units = Math.ceil(width / (8 * across)) * Math.ceil(height / (8 * down));
  const adobe = [0xff, 0xee, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, transform];
  const out = new BitWriter();
  const tables = new Map<number, HuffmanTable>();
  let interval = 0;
  out.append([0xff, 0xd8, ...adobe]);
  for (const segment of segments) {
    const { marker, data } = segment;
    if (marker === header.frame) {
      const table = components.flatMap((_, i) => (stays[i] ? Array.from(data.subarray(6 + 3 * i, 9 + 3 * i)) : []));
      out.append([0xff, marker, 0, 8 + table.length, ...data.subarray(0, 5), kept.length, ...table]);
    } else if (marker === 0xdb || marker === 0xc4 || marker === 0xdd) {
      if (marker === 0xc4) readTables(data, tables);
      if (marker === 0xdd) interval = data[0] * 256 + data[1];
      out.append(bytes.subarray(segment.start, segment.end));
    } else if (marker === 0xda) {
      if (data.length !== 4 + 2 * data[0]) throw new Error("a scan makes no sense");
      const choices: number[] = [];
      const members = Array.from({ length: data[0] }, (_, i) => {
        const [id, choice] = data.subarray(1 + 2 * i, 3 + 2 * i);
        const component = components.findIndex((other) => other.id === id);
        if (component < 0) throw new Error("a scan makes no sense");
        if (stays[component]) choices.push(id, choice);
        const { h, v } = components[component];
        const [dc, ac] = [tables.get(choice >> 4), tables.get(16 + (choice & 15))];
        return { stays: stays[component], blocks: h * v, dc, ac };
      });
      const remaining = members.filter((member) => member.stays);
      if (remaining.length === 0) continue;
      // Alone in its scan, a component with several blocks to a unit would come in another order.
      if (members.length > 1 && remaining.length === 1 && remaining[0].blocks > 1) {
        throw new Error("the interleaving is not supported");
      }
      out.append([0xff, 0xda, 0, 6 + choices.length, choices.length / 2, ...choices, ...data.subarray(-3)]);
      if (members.length === 1) out.append(bytes.subarray(segment.end, segment.scanEnd));
      else copyScan(bytes, segment, members, units, interval, out);
    }
  }
  out.append([0xff, 0xd9]);
  return out.result();
}
