/**
 * A model on a GPU: its programs, its key/value cache and its image rows. Knows pixels and token ids, not text.
 */
import type { RowTable } from "../input/pack.ts";
import { LlavaError } from "../../errors/index.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { Graph, type Intervention } from "../graph/graph.ts";
import { Program } from "../graph/program.ts";
import { type Resident, Scalar, type Tensor } from "../graph/tensor.ts";
import { Workspace } from "../graph/workspace.ts";
import type { ModelConfig } from "../models/config.ts";
import type { DecodeContext } from "../models/decoder.ts";
import type { LlavaModel } from "../models/llava.ts";
import { contextLength, rotaryTable } from "../models/rope.ts";
import { argmax, mixRows, NOT_A_NUMBER, sliceRows, writeRows } from "../ops/index.ts";
import { LogitsError } from "./errors.ts";
import { checkLogits } from "./logits.ts";
import { GrowingRows } from "./residents.ts";

/** Longest piece of a prompt that one run takes; shorter ones are rounded up to a multiple of `CHUNK_STEP` and masked. */
const LONGEST_CHUNK = 512;
const CHUNK_STEP = 16;

/** Compiled programs kept for their shapes. */
const PROGRAM_CACHE = 24;

/** Vision tokens that one run should about hold, so that small pictures are batched. */
const VISION_BATCH = 1024;

/** Tokens that a fresh cache has room for. */
const FIRST_CAPACITY = 256;

/** A prompt or an answer outgrew the model's context. */
export class ContextError extends LlavaError {
  override name = "ContextError";
  constructor(
    message: string,
    /** Tokens wanted. */
    readonly wanted: number,
    /** Tokens that the model was made for. */
    readonly limit: number,
  ) {
    super(message);
  }
}

/** One processed picture: its tiles and how their features become rows. */
export interface Sight {
  /** [tiles, 3, S, S] */
  readonly pixels: Float32Array;
  readonly tiles: number;
  readonly table: RowTable;
}

/** What to read back after a pass: the greedy token, or all logits of the last position. */
export type Wanted = "token" | "logits";

/** A captured value on the host. */
export interface HostTensor {
  readonly shape: number[];
  readonly data: Float32Array;
}

export class Runtime {
  /** Tokens in the cache. */
  length = 0;
  readonly #programs = new Map<string, Promise<Program>>();

  private constructor(
    readonly gpu: Gpu,
    readonly model: LlavaModel,
    readonly config: ModelConfig,
    private readonly workspace: Workspace,
    private readonly residents: {
      readonly keys: readonly GrowingRows[];
      readonly values: readonly GrowingRows[];
      readonly table: GrowingRows;
      /** Row 0 is the newline; then the features of one picture's tiles. */
      readonly features: GrowingRows;
      /** The packed rows of all pictures of the prompt. */
      readonly rows: GrowingRows;
    },
  ) {}

  /** Allocates the cache of a model whose weights are loaded. */
  static async create(gpu: Gpu, model: LlavaModel, config: ModelConfig): Promise<Runtime> {
    const workspace = new Workspace(gpu);
    const { layers, keyValueHeads, headSize, width } = config.text;
    const first = Math.min(FIRST_CAPACITY, contextLength(config.text));
    const perLayer = (name: string) =>
      Promise.all(
        Array.from({ length: layers }, (_, i) => GrowingRows.create(workspace, `cache of layer ${i}: ${name}`, keyValueHeads * headSize, first)),
      );
    const runtime = new Runtime(gpu, model, config, workspace, {
      keys: await perLayer("keys"),
      values: await perLayer("values"),
      table: await GrowingRows.create(workspace, "rotary table", headSize, first),
      features: await GrowingRows.create(workspace, "tile features", width, 1 + model.rowsPerTile),
      rows: await GrowingRows.create(workspace, "image rows", width, Math.max(1, model.rowsPerTile)),
    });
    runtime.#writeTable(0, first, first);
    return runtime;
  }

  /** Tokens that fit. */
  get context(): number {
    return contextLength(this.config.text);
  }

  /** The rotary table [positions, head size]. */
  get rotaryTable(): Resident {
    return this.residents.table;
  }

  /** Makes the rotary table cover `positions`. */
  async reserveTable(positions: number): Promise<void> {
    await this.#reserveTable(positions, 0, positions);
  }

  /** Forgets all programs, since weights lie in new buffers or have another type. */
  weightsMoved(): void {
    for (const program of this.#programs.values()) void program.then((old) => old.dispose(), () => undefined);
    this.#programs.clear();
    this.workspace.moved();
  }

  /** Forgets all tokens. Images are forgotten by the next `see`. */
  reset(): void {
    this.length = 0;
  }

  /**
   * Encodes pictures into image rows, in order. Returns how many rows there are.
   * Between tiles the signal is looked at.
   */
  async see(pictures: readonly Sight[], signal?: AbortSignal): Promise<number> {
    const { features, rows } = this.residents;
    const total = pictures.reduce((sum, { table }) => sum + table.rows, 0);
    await rows.reserve(total);
    let at = 0;
    for (const { pixels, tiles, table } of pictures) {
      await features.reserve(1 + tiles * this.model.rowsPerTile);
      const tileSize = pixels.length / tiles;
      const batch = Math.max(1, Math.floor(VISION_BATCH / Math.max(1, this.model.rowsPerTile)));
      for (let tile = 0; tile < tiles; tile += batch) {
        signal?.throwIfAborted();
        const count = Math.min(batch, tiles - tile);
        const program = await this.#visionProgram(count);
        program.run({ pixels: pixels.subarray(tile * tileSize, (tile + count) * tileSize) }, { row: 1 + tile * this.model.rowsPerTile });
        await this.gpu.idle();
      }
      const pack = await this.#packProgram(table);
      pack.run({ index: table.index, weight: table.weight }, { row: at });
      at += table.rows;
    }
    return total;
  }

  /**
   * Appends tokens to the cache and gives the logits or the greedy token behind the last one.
   *
   * @param ids token ids [n]
   * @param source for every token its image row, or TEXT [n]
   * @param chunk longest piece of one run
   * @throws ContextError if the cache is full, LogitsError if a logit is NaN
   */
  async extend(
    ids: Uint32Array,
    source: Uint32Array,
    wanted: Wanted,
    { signal, chunk = LONGEST_CHUNK }: { signal?: AbortSignal | undefined; chunk?: number } = {},
  ): Promise<{ token?: number; logits?: Float32Array }> {
    await this.#makeRoom(ids.length);
    let program: Program | undefined;
    for (let at = 0; at < ids.length; at += chunk) {
      signal?.throwIfAborted();
      const count = Math.min(chunk, ids.length - at);
      const isLast = at + count === ids.length;
      const rows = count === 1 ? 1 : Math.min(chunk, Math.ceil(count / CHUNK_STEP) * CHUNK_STEP);
      program = await this.#languageProgram(rows, isLast ? wanted : undefined);
      const inputs = { ids: filled(ids.subarray(at, at + count), rows), source: filled(source.subarray(at, at + count), rows) };
      program.run(inputs, { position: this.length, last: count - 1 });
      this.length += count;
      if (!isLast) await this.gpu.idle();
    }
    const { data } = await program!.read(wanted);
    if (wanted === "logits") return { logits: data as Float32Array };
    if (data[0] === NOT_A_NUMBER) throw new LogitsError(this.config.text.vocabulary, 1, 0);
    return { token: data[0]! };
  }

  /** One pass of the vision tower over all tiles, returning the values that match the globs. */
  async captureVision(pixels: Float32Array, tiles: number, watch: readonly string[], interventions?: ReadonlyMap<string, Intervention>): Promise<Record<string, HostTensor>> {
    const graph = new Graph(interventions);
    this.model.see(this.#pixels(graph, tiles));
    const program = await Program.compile(graph, this.workspace, { outputs: {}, watch });
    try {
      if (program.outputs.length === 0) return {};
      program.run({ pixels });
      return await readAll(program);
    } finally {
      program.dispose();
    }
  }

  /** One pass of the language model over a whole sequence, without a cache: logits and the values that match the globs. */
  async captureLanguage(
    ids: Uint32Array,
    source: Uint32Array,
    { watch, positions, interventions }: { watch: readonly string[]; positions: "last" | "all"; interventions?: ReadonlyMap<string, Intervention> },
  ): Promise<{ logits: HostTensor; captured: Record<string, HostTensor> }> {
    this.#checkContext(ids.length);
    await this.#reserveTable(ids.length, 0, ids.length);
    const graph = new Graph(interventions);
    const hidden = this.model.decode(this.#embed(graph, ids.length), { table: this.residents.table });
    const rows = positions === "all" ? hidden : sliceRows(hidden, { rows: 1, width: hidden.width, fromRow: ids.length - 1 });
    const logits = this.model.head(rows);
    const program = await Program.compile(graph, this.workspace, { outputs: { "": logits }, watch });
    try {
      program.run({ ids, source });
      const { "": result, ...captured } = await readAll(program);
      checkLogits(result!.data);
      return { logits: result!, captured };
    } finally {
      program.dispose();
    }
  }

  /** The compiled program of one decode step, for listings and profiles. */
  async decodeProgram(): Promise<Program> {
    return this.#languageProgram(1, "token");
  }

  /** The compiled program that encodes `tiles` tiles. */
  async visionProgram(tiles = 1): Promise<Program> {
    return this.#visionProgram(tiles);
  }

  /** Frees programs, caches and arenas; the weights and the device belong to others. */
  async dispose(): Promise<void> {
    for (const program of this.#programs.values()) (await program.catch(() => undefined))?.dispose();
    this.#programs.clear();
    const { keys, values, table, features, rows } = this.residents;
    for (const resident of [...keys, ...values, table, features, rows]) resident.dispose();
    this.workspace.dispose();
  }

  #checkContext(wanted: number): void {
    if (wanted <= this.context) return;
    throw new ContextError(
      `expected at most ${this.context} tokens (the context of this model), got ${wanted}; shorten the prompt, use fewer or smaller pictures, or ask for fewer new tokens`,
      wanted,
      this.context,
    );
  }

  async #makeRoom(count: number): Promise<void> {
    const wanted = this.length + count;
    this.#checkContext(wanted);
    // Masked rows of the last chunk are written too, so there must be room for them.
    const rows = Math.ceil(wanted / CHUNK_STEP) * CHUNK_STEP + CHUNK_STEP;
    for (const resident of [...this.residents.keys, ...this.residents.values]) await resident.reserve(rows, this.context + 2 * CHUNK_STEP);
    await this.#reserveTable(rows, this.length, wanted);
  }

  /** Makes the table cover `rows` positions. Dynamic scaling turns the positions from `from` on as a sequence of `length` asks. */
  async #reserveTable(rows: number, from: number, length: number): Promise<void> {
    const { table } = this.residents;
    const before = table.capacity;
    await table.reserve(rows);
    if (this.config.text.rope.kind === "dynamic") this.#writeTable(from, rows, length);
    else if (table.capacity > before) this.#writeTable(before, table.capacity, length);
  }

  #writeTable(from: number, to: number, length: number): void {
    const { rope, headSize } = this.config.text;
    const positions = Uint32Array.from({ length: to - from }, (_, i) => from + i);
    this.residents.table.write(from, rotaryTable(rope, headSize, positions, length));
  }

  #visionProgram(tiles: number): Promise<Program> {
    return this.#program(`vision ${tiles}`, async () => {
      const graph = new Graph();
      const rows = this.model.see(this.#pixels(graph, tiles)); // [tiles, rows, D]
      const row = new Scalar("row", 0);
      writeRows(graph, rows, this.residents.features, { rows: rows.rows, width: rows.width, toRow: row });
      return Program.compile(graph, this.workspace, { outputs: {} });
    });
  }

  #packProgram({ rows, taps }: RowTable): Promise<Program> {
    return this.#program(`pack ${rows} ${taps}`, async () => {
      const graph = new Graph();
      const { features, rows: packed } = this.residents;
      const { newline } = this.model;
      if (newline) writeRows(graph, { ...newline.block, shape: [1, features.width] }, features, { rows: 1, width: features.width });
      const mixed = mixRows(features, graph.input("index", [rows, taps], "u32"), graph.input("weight", [rows, taps]));
      writeRows(graph, mixed, packed, { rows, width: mixed.width, toRow: new Scalar("row", 0) });
      return Program.compile(graph, this.workspace, { outputs: {} });
    });
  }

  #languageProgram(rows: number, wanted: Wanted | undefined): Promise<Program> {
    return this.#program(`language ${rows} ${wanted ?? ""}`, async () => {
      const graph = new Graph();
      const { keys, values, table } = this.residents;
      const context: DecodeContext = { table, cache: { keys, values }, position: new Scalar("position", this.context) };
      const hidden = this.model.decode(this.#embed(graph, rows), context);
      if (!wanted) return Program.compile(graph, this.workspace, { outputs: {} });
      const last = rows === 1 ? hidden : sliceRows(hidden, { rows: 1, width: hidden.width, fromRow: new Scalar("last", rows - 1) });
      const logits = this.model.head(last);
      return Program.compile(graph, this.workspace, { outputs: wanted === "token" ? { token: argmax(logits) } : { logits } });
    });
  }

  #pixels(graph: Graph, tiles: number): Tensor {
    const { imageSize, channels } = this.config.vision!;
    return graph.input("pixels", [tiles, channels, imageSize, imageSize]);
  }

  #embed(graph: Graph, count: number): Tensor {
    const ids = graph.input("ids", [count], "u32");
    const source = graph.input("source", [count], "u32");
    return this.model.embed(ids, this.config.vision ? { rows: this.residents.rows, source } : undefined);
  }

  /** The program under a key, compiled once; the least recently used one makes room. */
  #program(key: string, compile: () => Promise<Program>): Promise<Program> {
    const kept = this.#programs.get(key) ?? compile();
    this.#programs.delete(key);
    this.#programs.set(key, kept);
    kept.catch(() => this.#programs.delete(key));
    if (this.#programs.size > PROGRAM_CACHE) {
      const [oldest, program] = this.#programs.entries().next().value!;
      this.#programs.delete(oldest);
      void program.then((old) => old.dispose());
    }
    return kept;
  }
}

async function readAll(program: Program): Promise<Record<string, HostTensor>> {
  const values: Record<string, HostTensor> = {};
  for (const name of program.outputs) {
    const { shape, data } = await program.read(name);
    values[name] = { shape: [...shape], data: data as Float32Array };
  }
  return values;
}

function filled(values: Uint32Array, length: number): Uint32Array {
  if (values.length === length) return values;
  const all = new Uint32Array(length);
  all.set(values);
  return all;
}
