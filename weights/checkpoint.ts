import type { DType } from "./dtype.ts";
import { WeightError } from "./error.ts";
import type { Folder } from "./folder.ts";
import { canonicalName } from "./names.ts";
import { didYouMean } from "./nearest.ts";
import { readHeader } from "./safetensors.ts";
import type { SafetensorsHeader } from "./safetensors.ts";
import type { ByteSource } from "./source.ts";

const singleFile = "model.safetensors";
const indexFile = "model.safetensors.index.json";

/** Where a tensor of a checkpoint lies. */
export interface TensorInfo {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Name in the file; a checkpoint saved under these names is one that others can read. */
  readonly foreignName: string;
  /** File of the folder that holds it, and its bytes [start, end) there. */
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

type Rename = (foreign: string) => string | null;

export interface CheckpointOptions {
  readonly signal?: AbortSignal;
  /** Our name for a tensor of the files, null to leave it out; {@link canonicalName} unless given. */
  readonly rename?: Rename;
}

/** What `Checkpoint.read` may be told. */
export interface ReadOptions {
  /** Read only rows [from, to) of the first axis. */
  readonly rows?: readonly [from: number, to: number];
  readonly signal?: AbortSignal;
}

/**
 * The tensors of a model folder, read where they lie: opening reads the headers only, and each `read` just the bytes
 * asked for. Holds its files open until `close`.
 */
export class Checkpoint {
  /** The folder's name. */
  readonly name: string;
  /** Names in the files that are known and left out, such as `rotary_emb.inv_freq`. */
  readonly ignored: readonly string[];
  readonly #tensors: ReadonlyMap<string, TensorInfo>;
  readonly #sources: ReadonlyMap<string, ByteSource>;

  private constructor(name: string, files: readonly OpenFile[], owners: Owners, rename: Rename) {
    const { tensors, ignored } = merge(name, files, owners, rename);
    this.name = name;
    this.ignored = ignored;
    this.#tensors = tensors;
    this.#sources = new Map(files.map(({ file, source }) => [file, source]));
  }

  /**
   * Opens `model.safetensors`, or the shards of `model.safetensors.index.json`, or, where neither is there, the only
   * `*.safetensors` file of the folder.
   *
   * @throws WeightError if there are no such weights, a shard is missing, a header is broken, or two tensors get the
   * same name; `signal.reason` if aborted.
   */
  static async open(folder: Folder, { signal, rename = canonicalName }: CheckpointOptions = {}): Promise<Checkpoint> {
    signal?.throwIfAborted();
    const { names, owners } = await findFiles(folder, signal);
    const sources: ByteSource[] = [];
    const files: OpenFile[] = [];
    try {
      for (const file of names) {
        const source = await folder.open(file, signal);
        sources.push(source);
        files.push({ file, source, header: await readHeader(source, signal) });
      }
      return new Checkpoint(folder.name, files, owners, rename);
    } catch (error) {
      await Promise.all(sources.map((source) => source.close()));
      throw error;
    }
  }

  /** Names of all tensors, ours where we have one, in the order of the files. */
  names(): string[] {
    return [...this.#tensors.keys()];
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** @throws WeightError if there is no such tensor. */
  info(name: string): TensorInfo {
    const info = this.#tensors.get(name);
    if (info !== undefined) return info;
    throw new WeightError(`${this.name} has no tensor ${name}.${didYouMean(name, this.#tensors.keys())}`, {
      file: this.name,
      tensor: name,
    });
  }

  /**
   * The elements of a tensor as they lie in the file (row-major, little-endian), or of some rows of its first axis.
   *
   * @throws WeightError if there is no such tensor or row, or the bytes cannot be had; `signal.reason` if aborted.
   */
  async read(name: string, { rows, signal }: ReadOptions = {}): Promise<Uint8Array> {
    const { file, shape, start, end } = this.info(name);
    const source = this.#sources.get(file)!;
    if (rows === undefined) return source.read(start, end, signal);

    const [from, to] = rows;
    const count = shape[0] ?? 0;
    const inside = Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from <= to && to <= count;
    if (!inside || shape.length === 0) {
      throw new WeightError(
        `${name} [${shape.join(", ")}]: expected rows [from, to) inside [0, ${count}), got [${from}, ${to})`,
        { file, tensor: name, expected: [0, count], got: rows },
      );
    }
    const rowBytes = count === 0 ? 0 : (end - start) / count;
    return source.read(start + from * rowBytes, start + to * rowBytes, signal);
  }

  /** Closes the files; idempotent. Names and infos stay, reading is an error from here on. */
  async close(): Promise<void> {
    await Promise.all([...this.#sources.values()].map((source) => source.close()));
  }
}

interface OpenFile {
  readonly file: string;
  readonly source: ByteSource;
  readonly header: SafetensorsHeader;
}

/** Which file each tensor belongs to, as the index of a sharded checkpoint says; empty without an index. */
type Owners = ReadonlyMap<string, string>;

async function findFiles(folder: Folder, signal?: AbortSignal): Promise<{ names: string[]; owners: Owners }> {
  if (await folder.has(singleFile, signal)) return { names: [singleFile], owners: new Map() };
  if (await folder.has(indexFile, signal)) {
    const owners = readIndex(await folder.json(indexFile, signal), folder.name);
    const names = [...new Set(owners.values())].sort();
    for (const file of names) {
      if (await folder.has(file, signal)) continue;
      throw new WeightError(`${folder.name}: the shard ${file}, listed in ${indexFile}, is missing; download it too`, {
        file,
      });
    }
    return { names, owners };
  }
  const others = ((await folder.list()) ?? []).filter((file) => /^[^/]+\.safetensors$/.test(file));
  if (others.length === 1) return { names: others, owners: new Map() };
  throw await noWeights(folder, others, signal);
}

function readIndex(index: unknown, folderName: string): Owners {
  const map = (index as { weight_map?: unknown } | null)?.weight_map;
  const entries = typeof map === "object" && map !== null && !Array.isArray(map) ? Object.entries(map) : [];
  if (entries.length === 0 || !entries.every(([, file]) => typeof file === "string")) {
    throw new WeightError(
      `${indexFile} of ${folderName}: expected { "weight_map": { tensor name: file name, ... } }`,
      { file: indexFile, expected: "weight_map", got: map },
    );
  }
  return new Map(entries as [string, string][]);
}

async function noWeights(folder: Folder, others: readonly string[], signal?: AbortSignal): Promise<WeightError> {
  const wanted = `expected ${singleFile} or ${indexFile} with its shards`;
  const details = { file: folder.name, expected: [singleFile, indexFile], got: others };
  if (others.length > 1) {
    return new WeightError(`${folder.name}: ${wanted}, got several other files: ${others.join(", ")}`, details);
  }
  // Where files cannot be listed, the usual names are tried.
  const names = (await folder.list()) ?? ["pytorch_model.bin", "pytorch_model.bin.index.json"];
  for (const file of names.filter((name) => /\.(bin|bin\.index\.json|pt|pth)$/.test(name))) {
    if (!(await folder.has(file, signal))) continue;
    return new WeightError(
      `${folder.name} holds PyTorch pickles (${file}), which are not read; save the model as safetensors ` +
        "(transformers: save_pretrained) or download a safetensors copy of it",
      { ...details, got: file },
    );
  }
  return new WeightError(`${folder.name} holds no weights: ${wanted}`, details);
}

function merge(
  folderName: string,
  files: readonly OpenFile[],
  owners: Owners,
  rename: Rename,
): { tensors: Map<string, TensorInfo>; ignored: string[] } {
  const tensors = new Map<string, TensorInfo>();
  const ignored: string[] = [];
  const held = new Map(files.map(({ file, header }) => [file, header.tensors]));
  for (const [tensor, file] of owners) {
    if (held.get(file)?.has(tensor)) continue;
    throw new WeightError(`${folderName}: ${indexFile} says that ${file} holds ${tensor}, but it does not`, {
      file,
      tensor,
    });
  }
  for (const { file, header } of files) {
    for (const [foreignName, entry] of header.tensors) {
      // A shard may hold a tensor that the index takes from another one.
      if ((owners.get(foreignName) ?? file) !== file) continue;
      const name = rename(foreignName);
      if (name === null) {
        ignored.push(foreignName);
        continue;
      }
      const other = tensors.get(name);
      if (other !== undefined) {
        throw new WeightError(
          `${folderName}: both ${other.foreignName} (${other.file}) and ${foreignName} (${file}) are ${name}`,
          { file, tensor: foreignName, got: [other.foreignName, foreignName] },
        );
      }
      tensors.set(name, { ...entry, foreignName, file });
    }
  }
  return { tensors, ignored };
}
