import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dtypeBytes } from "./dtype.ts";
import type { DType } from "./dtype.ts";
import { WeightError } from "./error.ts";
import { elementCount, readHeader } from "./safetensors.ts";
import type { SafetensorsHeader } from "./safetensors.ts";
import { writeSafetensors } from "./save.ts";
import type { TensorToWrite } from "./save.ts";
import { blobSink, blobSource } from "./source.ts";

/** Length, header and `size` bytes of data; `length` replaces the true length of the header. */
function file(header: string | Uint8Array, size: number, length?: bigint): Uint8Array {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + size);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const read = (bytes: Uint8Array): Promise<SafetensorsHeader> =>
  readHeader(blobSource(new Blob([bytes as Uint8Array<ArrayBuffer>]), "x.safetensors"));

const entry = (dtype: string, shape: unknown, offsets: unknown): string =>
  JSON.stringify({ t: { dtype, shape, data_offsets: offsets } });

describe("readHeader", () => {
  it("gives dtype, shape and bytes of each tensor", async () => {
    const header =
      '{"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2,3],"data_offsets":[4,16]},' +
      '"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},' +
      '"empty":{"dtype":"I64","shape":[0,5],"data_offsets":[4,4]}}   ';
    const { tensors, metadata } = await read(file(header, 16));
    const start = 8 + header.length;
    expect(metadata).toEqual({ format: "pt" });
    expect([...tensors]).toEqual([
      ["b", { dtype: "F16", shape: [2, 3], start: start + 4, end: start + 16 }],
      ["a", { dtype: "F32", shape: [], start, end: start + 4 }],
      ["empty", { dtype: "I64", shape: [0, 5], start: start + 4, end: start + 4 }],
    ]);
  });

  it.each(Object.entries(dtypeBytes))("knows %s of %i bytes", async (dtype, size) => {
    const { tensors } = await read(file(entry(dtype, [3], [0, 3 * size]), 3 * size));
    expect(tensors.get("t")!.dtype).toBe(dtype);
  });

  it("keeps awkward names", async () => {
    const { tensors } = await read(file('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1));
    expect([...tensors.keys()]).toEqual(["__proto__"]);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["nothing", new Uint8Array(0), /expected at least 8 bytes, got 0$/],
    ["seven bytes", new Uint8Array(7), /expected at least 8 bytes, got 7$/],
    ["a length of 0", file("", 0), /should be a JSON object/],
    ["a huge length", file("{}", 0, 1n << 60n), /a header of at most 100000000 bytes, got 1152921504606846976/],
    ["a length beyond the file", file("{}", 0, 3n), /should have 3 bytes, but only 2 follow; is it whole\?$/],
    ["a Git LFS pointer", new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\noid"), /git lfs pull/],
    ["a list", file("[]", 0), /should be a JSON object/],
    ["text before the object", file(" {}", 0), /should be a JSON object/],
    ["broken JSON", file('{"t":}', 0), /header of x.safetensors is not valid JSON: unexpected "}" at line 1, column 6/],
    ["bytes that are not UTF-8", file(Uint8Array.of(0x7b, 0xff, 0x7d), 0), /not UTF-8/],
    ["a name twice", file('{"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"t":1}', 0), /holds "t" twice/],
    ["a tensor that is no object", file('{"t":[1]}', 0), /tensor t: expected an object .* got \[1\]$/],
    ["an unknown dtype", file(entry("F9", [1], [0, 1]), 1), /tensor t: expected a dtype of F64, .*, got "F9"$/],
    ["a dtype of the prototype", file(entry("toString", [1], [0, 1]), 1), /expected a dtype/],
    ["a negative size", file(entry("U8", [-1], [0, 1]), 1), /expected a shape of non-negative integers, got \[-1\]$/],
    ["a fraction", file(entry("U8", [1.5], [0, 1]), 1), /expected a shape/],
    ["a shape that is no list", file(entry("U8", 3, [0, 3]), 3), /expected a shape/],
    ["a shape beyond 2^53", file(entry("U8", [2 ** 30, 2 ** 30], [0, 3]), 3), /expected a shape/],
    ["no offsets", file(entry("U8", [1], undefined), 1), /expected data_offsets \[start, end\], got undefined$/],
    ["three offsets", file(entry("U8", [1], [0, 1, 2]), 1), /expected data_offsets \[start, end\]/],
    ["offsets the wrong way round", file(entry("U8", [1], [1, 0]), 1), /expected data_offsets inside the 1 bytes/],
    ["offsets beyond the file", file(entry("U8", [4], [0, 4]), 3), /inside the 3 bytes of data; is the file whole\?/],
    ["a wrong number of bytes", file(entry("F32", [2], [0, 4]), 4), /that span 8 bytes for F32 \[2\], got \[0,4\]$/],
    ["a gap in front", file(entry("U8", [1], [1, 2]), 2), /tensor t leaves a gap/],
    ["bytes behind", file(entry("U8", [1], [0, 1]), 3), /take 1 bytes, but the file holds 3 bytes of data$/],
    ["metadata that is no object", file('{"__metadata__":[]}', 0), /__metadata__ should map/],
    ["metadata with a number", file('{"__metadata__":{"a":1}}', 0), /__metadata__ should map/],
    [
      "overlapping tensors",
      file(
        '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}',
        3,
      ),
      /tensor b overlaps the one before it: expected it to start at byte 2 of the data, got 1$/,
    ],
  ])("refuses %s", async (_, bytes, message) => {
    const error = await read(bytes).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WeightError);
    expect((error as WeightError).message).toMatch(message);
    expect((error as WeightError).file).toContain("x.safetensors");
  });

  it("reads only the header", async () => {
    const bytes = file(entry("U8", [1000], [0, 1000]), 1000);
    const source = blobSource(new Blob([bytes as Uint8Array<ArrayBuffer>]), "x.safetensors");
    const asked: number[] = [];
    await readHeader({ ...source, read: (start, end) => (asked.push(end), source.read(start, end)) });
    expect(Math.max(...asked)).toBe(bytes.length - 1000);
  });

  it("survives random and mutated bytes (property)", async () => {
    const valid = file(
      '{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},' +
        '"b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]}}',
      22,
    );
    const mutation = fc.record({ at: fc.nat(valid.length - 1), byte: fc.nat(255) });
    const mutated = fc
      .record({ changes: fc.array(mutation, { minLength: 1, maxLength: 4 }), cut: fc.option(fc.nat(valid.length)) })
      .map(({ changes, cut }) => {
        const bytes = valid.slice();
        for (const { at, byte } of changes) bytes[at] = byte;
        return cut === null ? bytes : bytes.slice(0, cut);
      });
    const header = fc.json().map((json) => file(json, 4));
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutated, mutated, header, fc.uint8Array({ maxLength: 64 })), async (bytes) => {
        const result = await read(bytes).catch((error: unknown) => error);
        if (result instanceof Error) {
          expect(result).toBeInstanceOf(WeightError);
          expect(result.message).not.toContain("\n");
          return;
        }
        // What is accepted must be consistent in itself.
        for (const { dtype, shape, start, end } of (result as SafetensorsHeader).tensors.values()) {
          expect(end - start).toBe(elementCount(shape)! * dtypeBytes[dtype]);
          expect(end).toBeLessThanOrEqual(bytes.length);
        }
      }),
      { numRuns: 2000, seed: 4 },
    );
  });
});

describe("writeSafetensors", () => {
  const save = async (tensors: TensorToWrite[], metadata?: Record<string, string>): Promise<Uint8Array> => {
    const sink = blobSink();
    await writeSafetensors(sink, tensors, metadata);
    return new Uint8Array(await sink.blob().arrayBuffer());
  };

  it("writes these bytes", async () => {
    const bytes = await save([{ name: "t", dtype: "U8", shape: [2], data: Uint8Array.of(7, 8) }], { a: "b" });
    const header = '{"__metadata__":{"a":"b"},"t":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}';
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
    const expected = file(padded, 2);
    expected.set([7, 8], expected.length - 2);
    expect(bytes).toEqual(expected);
  });

  it("is read back (property)", async () => {
    const dtype = fc.constantFrom(...(Object.keys(dtypeBytes) as DType[]));
    const tensor = fc.record({
      name: fc.string().filter((name) => name !== "__metadata__"),
      dtype,
      shape: fc.array(fc.nat(4), { maxLength: 3 }),
      seed: fc.nat(255),
      split: fc.nat(9),
    });
    const list = fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 6 });
    const metadata = fc.dictionary(fc.string(), fc.string());
    await fc.assert(
      fc.asyncProperty(list, metadata, async (drawn, meta) => {
        const tensors = drawn.map(({ seed, split, ...rest }) => {
          const size = elementCount(rest.shape)! * dtypeBytes[rest.dtype];
          const bytes = Uint8Array.from({ length: size }, (_, i) => (seed + i) % 256);
          return { ...rest, bytes, data: inPieces(bytes, split) };
        });
        const bytes = await save(tensors, meta);
        const header = await read(bytes);
        expect({ ...header.metadata }).toEqual({ ...meta });
        // Names that look like array indices come first in a JSON object, wherever they were written.
        expect([...header.tensors.keys()].sort()).toEqual(tensors.map(({ name }) => name).sort());
        for (const { name, dtype: type, shape, bytes: expected } of tensors) {
          const { start, end, ...got } = header.tensors.get(name)!;
          expect(got).toEqual({ dtype: type, shape });
          expect(bytes.slice(start, end)).toEqual(expected);
        }
      }),
      { numRuns: 200, seed: 5 },
    );
  });

  async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
    if (size === 0) yield bytes;
    else for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }

  const one = (change: Partial<TensorToWrite>): TensorToWrite[] => [
    { name: "t", dtype: "F16", shape: [2], data: new Uint8Array(4), ...change },
  ];
  it.each([
    ["too few bytes", one({ data: new Uint8Array(3) }), /tensor t: F16 \[2\] takes 4 bytes, got 3$/],
    ["too many bytes", one({ data: new Uint8Array(5) }), /takes 4 bytes, got 5$/],
    ["a bad shape", one({ shape: [-1] }), /a shape of non-negative integers, got F16 \[-1\]$/],
    ["a bad dtype", one({ dtype: "F9" as DType }), /expected a known dtype/],
    ["a name twice", [...one({}), ...one({})], /the name t is taken/],
    ["the reserved name", one({ name: "__metadata__" }), /the name __metadata__ is taken/],
  ])("refuses %s, and aborts the sink", async (_, tensors, message) => {
    const sink = blobSink();
    const calls: string[] = [];
    const note = (call: string) => async (): Promise<void> => void calls.push(call);
    const watched = { ...sink, close: note("close"), abort: note("abort") };
    const error = await writeSafetensors(watched, tensors).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WeightError);
    expect((error as WeightError).message).toMatch(message);
    expect(calls).toEqual(["abort"]);
  });

  it("stops when aborted", async () => {
    const controller = new AbortController();
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let piece = 0; ; piece++) {
        if (piece === 3) controller.abort(new Error("enough"));
        yield new Uint8Array(1);
      }
    }
    const sink = blobSink();
    const tensors = one({ shape: [1000], data: endless() });
    await expect(writeSafetensors(sink, tensors, {}, controller.signal)).rejects.toThrow("enough");
    expect(sink.blob().size).toBe(0);
  });
});
