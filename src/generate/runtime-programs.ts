import type { RowTable } from "../input/pack.ts";
import { Graph } from "../graph/graph.ts";
import { Program } from "../graph/program.ts";
import { ProgramCache } from "../graph/program-cache.ts";
import { Scalar, type Tensor } from "../graph/tensor.ts";
import type { Workspace } from "../graph/workspace.ts";
import type { ModelConfig } from "../models/config.ts";
import type { LlavaModel } from "../models/llava.ts";
import { contextLength } from "../models/rope.ts";
import { argmax, mixRows, sliceRows, writeRows } from "../ops/index.ts";
import type { Residents } from "./residents.ts";

/** Compiled programs kept for their shapes. */
const KEPT = 24;

/** What to read back after a pass: the greedy token, or all logits of the last position. */
export type Wanted = "token" | "logits";

/** The programs of a runtime, by their shapes. They read and write its residents. */
export class RuntimePrograms {
  readonly #programs = new ProgramCache<{ readonly program: Program }>(KEPT);

  constructor(
    private readonly model: LlavaModel,
    private readonly config: ModelConfig,
    private readonly workspace: Workspace,
    private readonly residents: Residents,
  ) {}

  /** Writes the features of `tiles` tiles to the features from the scalar "row" on. */
  vision(tiles: number): Promise<Program> {
    return this.#get(`vision ${tiles}`, (graph) => {
      const rows = this.traceVision(graph, tiles);
      writeRows(graph, rows, this.residents.features, { rows: rows.rows, width: rows.width, toRow: new Scalar("row", 0) });
      return {};
    });
  }

  /** Mixes the features to the rows of one picture as a table says, and writes these from the scalar "row" on. */
  pack({ rows, taps }: RowTable): Promise<Program> {
    return this.#get(`pack ${rows} ${taps}`, (graph) => {
      const { features, rows: packed } = this.residents;
      const { newline } = this.model;
      if (newline) writeRows(graph, { ...newline.block, shape: [1, features.width] }, features, { rows: 1, width: features.width });
      const mixed = mixRows(features, graph.input("index", [rows, taps], "u32"), graph.input("weight", [rows, taps]));
      writeRows(graph, mixed, packed, { rows, width: mixed.width, toRow: new Scalar("row", 0) });
      return {};
    });
  }

  /** Appends `rows` tokens to the cache at the scalar "position"; what is wanted is that of the row that the scalar "last" names. */
  language(rows: number, wanted: Wanted | undefined): Promise<Program> {
    return this.#get(`language ${rows} ${wanted ?? ""}`, (graph): Record<string, Tensor> => {
      const { keys, values, table } = this.residents;
      const position = new Scalar("position", contextLength(this.config.text));
      const hidden = this.model.decode(this.traceEmbeddings(graph, rows), { table, cache: { keys, values }, position });
      if (!wanted) return {};
      const last = rows === 1 ? hidden : sliceRows(hidden, { rows: 1, width: hidden.width, fromRow: new Scalar("last", rows - 1) });
      const logits = this.model.head(last);
      return wanted === "token" ? { token: argmax(logits) } : { logits };
    });
  }

  /** The image rows of tiles, [tiles, rows, D]. */
  traceVision(graph: Graph, tiles: number): Tensor {
    const { imageSize, channels } = this.config.vision!;
    return this.model.see(graph.input("pixels", [tiles, channels, imageSize, imageSize]));
  }

  /** The embeddings of `count` tokens with image rows in their places, [count, D]. */
  traceEmbeddings(graph: Graph, count: number): Tensor {
    const ids = graph.input("ids", [count], "u32");
    const source = graph.input("source", [count], "u32");
    return this.model.embed(ids, this.config.vision ? { rows: this.residents.rows, source } : undefined);
  }

  /** Frees all programs. Those that are asked for later are compiled anew. */
  clear(): Promise<void> {
    return this.#programs.clear();
  }

  /** The program under a key; `trace` gives its outputs. */
  async #get(key: string, trace: (graph: Graph) => Record<string, Tensor>): Promise<Program> {
    const { program } = await this.#programs.get(key, async () => {
      const graph = new Graph();
      const outputs = trace(graph);
      return { program: await Program.compile(graph, this.workspace, { outputs }) };
    });
    return program;
  }
}
