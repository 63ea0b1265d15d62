/**
 * A model on a GPU: its programs, its key/value cache and its image rows. Knows pixels and token ids, not text.
 */
import type { RowTable } from "../input/pack.ts";
import { joinTiles } from "../input/tiles.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { Graph, type Intervention } from "../graph/graph.ts";
import { Program } from "../graph/program.ts";
import type { Resident } from "../graph/tensor.ts";
import { Workspace } from "../graph/workspace.ts";
import type { ModelConfig } from "../models/config.ts";
import type { LlavaModel } from "../models/llava.ts";
import { contextLength, rotaryTable } from "../models/rope.ts";
import { NOT_FINITE, sliceRows } from "../ops/index.ts";
import { ContextError } from "./errors.ts";
import { argmax, checkLogits } from "./logits.ts";
import { createResidents, disposeResidents, type Residents } from "./residents.ts";
import { RuntimePrograms, type Wanted } from "./runtime-programs.ts";

/** Longest piece of a prompt that one run takes; shorter ones are rounded up to a multiple of `CHUNK_STEP` and masked. */
const LONGEST_CHUNK = 512;
const CHUNK_STEP = 16;

/** Vision tokens that one run should about hold, so that small pictures are batched. */
const VISION_BATCH = 1024;

/** One processed picture: its tiles and how their features become rows. */
export interface Sight {
  /** [tiles, 3, S, S] */
  readonly pixels: Float32Array;
  readonly tiles: number;
  readonly table: RowTable;
}

/** A captured value on the host. */
export interface HostTensor {
  readonly shape: number[];
  readonly data: Float32Array;
}

export class Runtime {
  /** Tokens in the cache. */
  length = 0;
  readonly #programs: RuntimePrograms;

  private constructor(
    readonly gpu: Gpu,
    readonly model: LlavaModel,
    readonly config: ModelConfig,
    private readonly workspace: Workspace,
    private readonly residents: Residents,
  ) {
    this.#programs = new RuntimePrograms(model, config, workspace, residents);
  }

  /** Allocates the cache of a model whose weights are loaded. */
  static async create(gpu: Gpu, model: LlavaModel, config: ModelConfig): Promise<Runtime> {
    const workspace = new Workspace(gpu);
    const residents = await createResidents(workspace, model, config);
    const runtime = new Runtime(gpu, model, config, workspace, residents);
    const { capacity } = residents.table;
    runtime.#writeTable(0, capacity, capacity);
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
    void this.#programs.clear();
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
        const program = await this.#programs.vision(count);
        program.run({ pixels: pixels.subarray(tile * tileSize, (tile + count) * tileSize) }, { row: 1 + tile * this.model.rowsPerTile });
        await this.gpu.idle();
      }
      const pack = await this.#programs.pack(table);
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
   * @throws ContextError if the cache is full; where the token is wanted, LogitsError as `checkLogits`
   */
  async extend(
    ids: Uint32Array,
    source: Uint32Array,
    wanted: Wanted,
    { signal, chunk = LONGEST_CHUNK }: { signal?: AbortSignal | undefined; chunk?: number } = {},
  ): Promise<{ token?: number; logits?: Float32Array }> {
    await this.#makeRoom(ids.length);
    let program: Program | undefined;
    let lastCount = 0;
    for (let at = 0; at < ids.length; at += chunk) {
      signal?.throwIfAborted();
      const count = Math.min(chunk, ids.length - at);
      const isLast = at + count === ids.length;
      const rows = count === 1 ? 1 : Math.min(chunk, Math.ceil(count / CHUNK_STEP) * CHUNK_STEP);
      program = await this.#programs.language(rows, isLast ? wanted : undefined);
      const inputs = { ids: filled(ids.subarray(at, at + count), rows), source: filled(source.subarray(at, at + count), rows) };
      program.run(inputs, { position: this.length, last: count - 1 });
      this.length += count;
      lastCount = count;
      if (!isLast) await this.gpu.idle();
    }
    const { data } = await program!.read(wanted);
    if (wanted === "logits") return { logits: data as Float32Array };
    if (data[0] !== NOT_FINITE) return { token: data[0]! };
    // The argmax says only that there is no largest number: the last piece again, for the logits, which say why.
    this.length -= lastCount;
    const { logits } = await this.extend(ids.subarray(-lastCount), source.subarray(-lastCount), "logits", { chunk });
    checkLogits(logits!);
    return { token: argmax(logits!) };
  }

  /** One pass of the vision tower over all tiles of all pictures, returning the values that match the globs. */
  async captureVision(pictures: readonly Sight[], watch: readonly string[], interventions?: ReadonlyMap<string, Intervention>): Promise<Record<string, HostTensor>> {
    const graph = new Graph(interventions);
    this.#programs.traceVision(graph, pictures.reduce((sum, { tiles }) => sum + tiles, 0));
    const program = await Program.compile(graph, this.workspace, { outputs: {}, watch });
    try {
      if (program.outputs.length === 0) return {};
      program.run({ pixels: joinTiles(pictures.map(({ pixels }) => pixels)) });
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
    const hidden = this.model.decode(this.#programs.traceEmbeddings(graph, ids.length), { table: this.residents.table });
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
  decodeProgram(): Promise<Program> {
    return this.#programs.language(1, "token");
  }

  /** The compiled program that encodes `tiles` tiles. */
  visionProgram(tiles = 1): Promise<Program> {
    return this.#programs.vision(tiles);
  }

  /** Frees programs, caches and arenas; the weights and the device belong to others. */
  async dispose(): Promise<void> {
    await this.#programs.clear();
    disposeResidents(this.residents);
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
