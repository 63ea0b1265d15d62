import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DeviceError } from "./error.ts";
import { readTar } from "./tar.ts";

/** A tar archive of the given files, as the ustar format lays it out. */
function writeTar(files: Record<string, Uint8Array>): Uint8Array {
  const blocks: number[] = [];
  for (const [name, data] of Object.entries(files)) {
    const header = new Uint8Array(512);
    header.set(new TextEncoder().encode(name));
    header.set(new TextEncoder().encode(data.length.toString(8).padStart(11, "0")), 124);
    header[156] = "0".charCodeAt(0);
    blocks.push(...header, ...data, ...new Uint8Array((512 - (data.length % 512)) % 512));
  }
  return Uint8Array.from([...blocks, ...new Uint8Array(1024)]);
}

describe("readTar", () => {
  it("gives every file whole", () => {
    const files = { "none": new Uint8Array(0), "a.so": new Uint8Array(512).fill(7), "b": new Uint8Array(513).fill(9) };
    expect(Object.fromEntries(readTar(writeTar(files)))).toEqual(files);
  });

  it("refuses an archive that is cut short", () => {
    expect(() => readTar(writeTar({ a: new Uint8Array(600) }).subarray(0, 800))).toThrow(DeviceError);
    expect(() => readTar(new TextEncoder().encode("no archive"))).toThrow(DeviceError);
  });

  it("survives any bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), fc.nat(3000), fc.nat(255), (data, at, value) => {
      const archive = writeTar({ file: data });
      archive[at % archive.length] = value;
      try {
        readTar(archive);
      } catch (error) {
        expect(error).toBeInstanceOf(DeviceError);
      }
    }), { numRuns: 200, seed: 1 });
  });
});
