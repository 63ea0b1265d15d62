/** Small checkpoints to break: a golden folder as named Blobs, edited in memory. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { LlavaError } from "../../errors/index.ts";
import { goldenPath } from "./golden.ts";

/** A checkpoint's files by name, as `Llava.load` takes them. */
export type Files = Record<string, Blob>;

/** Header entries of a safetensors file. */
export type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;

const weightsFile = "model.safetensors";

/** The files of `test/golden/tiny/<name>`. */
export function tinyCheckpoint(name: string): Files {
  const folder = goldenPath(`tiny/${name}`);
  return Object.fromEntries(readdirSync(folder).map((file) => [file, new Blob([readFileSync(join(folder, file))])]));
}

/** The same files without one. */
export function without(files: Files, file: string): Files {
  return Object.fromEntries(Object.entries(files).filter(([name]) => name !== file));
}

/** The same files with a JSON file changed by `edit`. */
export async function withJson<T extends object = Record<string, unknown>>(files: Files, file: string, edit: (value: T) => void): Promise<Files> {
  const value = JSON.parse((await files[file]?.text()) ?? "{}") as T;
  edit(value);
  return { ...files, [file]: new Blob([JSON.stringify(value)]) };
}

/** The same files with header and data of the weights changed by `edit`; what it returns, if anything, is the whole new file. */
export async function withWeights(
  files: Files,
  edit: (header: Header, data: Uint8Array) => Uint8Array | void,
): Promise<Files> {
  const bytes = new Uint8Array(await files[weightsFile]!.arrayBuffer());
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Header;
  const data = bytes.slice(8 + length);
  const whole = edit(header, data) ?? safetensors(header, data);
  return { ...files, [weightsFile]: new Blob([whole as Uint8Array<ArrayBuffer>]) };
}

/** The bytes of a safetensors file, whatever header and data say. */
export function safetensors(header: unknown, data: Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file;
}

/** The files with NaN in all of one f32 tensor. */
export function withNaN(files: Files, tensor: string): Promise<Files> {
  return withValues(files, tensor, () => NaN);
}

/** The files with the elements of one f32 tensor as `value` says, which is given the old one and its index. */
export function withValues(files: Files, tensor: string, value: (old: number, index: number) => number): Promise<Files> {
  return withWeights(files, (header, data) => {
    const [start, end] = header[tensor]!.data_offsets;
    const view = new DataView(data.buffer, data.byteOffset);
    for (let at = start; at < end; at += 4) view.setFloat32(at, value(view.getFloat32(at, true), (at - start) / 4), true);
  });
}

/** Awaits a failure and checks that it is an error of the library, of the named class, in one line that says something. */
export async function expectTrouble(
  doing: Promise<unknown>,
  kind: new (...args: never[]) => LlavaError,
  says: RegExp,
): Promise<LlavaError> {
  const error = await doing.then(
    () => expect.fail(`expected a ${kind.name}, nothing was thrown`),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(kind);
  const { message, name } = error as LlavaError;
  expect(name).toBe(kind.name);
  expect(message).toMatch(says);
  expect(message).not.toMatch(/[\r\n]/);
  expect(message.length).toBeLessThan(600);
  return error as LlavaError;
}
