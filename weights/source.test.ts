import { describe, expect, it } from "vitest";
import { blobSink, blobSource, pieceBytes, pieceSource } from "./source.ts";

const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
const blob = new Blob([bytes]);

describe("blobSource", () => {
  it("reads ranges", async () => {
    const source = blobSource(blob, "x.bin");
    expect([source.name, source.size]).toEqual(["x.bin", 100]);
    expect(await source.read(10, 13)).toEqual(Uint8Array.of(10, 11, 12));
    expect(await source.read(0, 100)).toEqual(bytes);
    expect(await source.read(100, 100)).toEqual(new Uint8Array(0));
  });

  it("takes its name from a File", () => {
    expect(blobSource(new File([bytes], "model.safetensors")).name).toBe("model.safetensors");
    expect(blobSource(blob).name).toBe("blob");
  });

  it.each([[-1, 2], [2, 1], [0, 101], [0.5, 1], [0, NaN], [0, Infinity]])("refuses [%d, %d)", async (start, end) => {
    const message = `x.bin: expected a byte range inside [0, 100), got [${start}, ${end})`;
    await expect(blobSource(blob, "x.bin").read(start, end)).rejects.toMatchObject({ name: "WeightError", message });
  });

  it("refuses to read once closed, and closes twice", async () => {
    const source = blobSource(blob, "x.bin");
    await source.close();
    await source.close();
    await expect(source.read(0, 1)).rejects.toThrow("x.bin is closed, so it cannot be read");
  });

  it("rejects with the signal's reason", async () => {
    const reason = new Error("stop");
    await expect(blobSource(blob).read(0, 1, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

describe("pieceSource", () => {
  const source = (readPiece: (into: Uint8Array, start: number) => Promise<number>, size = 10) =>
    pieceSource("x.bin", size, readPiece, async () => {});

  it("asks again after short reads", async () => {
    const slow = source(async (into, start) => {
      into[0] = start;
      return 1;
    });
    expect(await slow.read(2, 6)).toEqual(Uint8Array.of(2, 3, 4, 5));
  });

  it("says that the file ended early", async () => {
    const short = source(async (_, start) => (start < 4 ? 1 : 0));
    const message = "x.bin ended early: expected 10 bytes, got 4; did the file change?";
    await expect(short.read(0, 10)).rejects.toMatchObject({ name: "WeightError", message });
  });

  it("names the file when reading fails", async () => {
    const broken = source(() => Promise.reject(new Error("disk on fire")));
    await expect(broken.read(0, 1)).rejects.toMatchObject({
      name: "WeightError",
      message: "cannot read x.bin: disk on fire",
    });
  });

  it("stops between pieces when aborted", async () => {
    const controller = new AbortController();
    const starts: number[] = [];
    const long = source(async (into, start) => {
      starts.push(start);
      controller.abort();
      return into.length;
    }, 2 * pieceBytes);
    await expect(long.read(0, long.size, controller.signal)).rejects.toMatchObject({ name: "AbortError" });
    expect(starts).toEqual([0]);
  });

  it("says when there is no memory for a range", async () => {
    const huge = source(async () => 0, 2 ** 53 - 1);
    await expect(huge.read(0, huge.size)).rejects.toThrow(/no memory for 9007199254740991 bytes at once/);
  });
});

describe("blobSink", () => {
  it("keeps what was written, though the writer uses its array again", async () => {
    const sink = blobSink("out");
    const piece = Uint8Array.of(1, 2);
    await sink.write(piece);
    piece.fill(9);
    await sink.write(piece.subarray(1));
    await sink.close();
    expect(new Uint8Array(await sink.blob().arrayBuffer())).toEqual(Uint8Array.of(1, 2, 9));
  });

  it("forgets everything when aborted", async () => {
    const sink = blobSink();
    await sink.write(Uint8Array.of(1));
    await sink.abort();
    expect(sink.blob().size).toBe(0);
  });
});
