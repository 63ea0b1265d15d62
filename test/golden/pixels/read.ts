import { readFileSync } from "node:fs";

const folder = new URL(".", import.meta.url);

/** A JSON golden of this folder. */
export function readJson<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, folder), "utf8")) as T;
}

/** The bytes of a test picture. */
export function readPicture(name: string, area: "images" | "pillow" = "images"): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(`../${area}/${name}`, folder)));
}

/** The uint8 tensors of a safetensors golden of this folder. */
export function readTensors(name: string): Map<string, { shape: number[]; data: Uint8Array }> {
  const bytes = readFileSync(new URL(name, folder));
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, start).toString()) as Record<
    string,
    { shape: number[]; data_offsets: [number, number] }
  >;
  return new Map(
    Object.entries(header)
      .filter(([key]) => key !== "__metadata__")
      .map(([key, { shape, data_offsets: [from, to] }]) => [
        key,
        { shape, data: new Uint8Array(bytes.subarray(start + from, start + to)) },
      ]),
  );
}
