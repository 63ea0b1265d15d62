import { Preparer } from "../../src/generate/prepare.ts";
import { Runtime } from "../../src/generate/runtime.ts";
import type { FoundAdapter } from "../../src/gpu/adapter.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { type ModelConfig, parseConfig } from "../../src/models/config.ts";
import { llava, type LlavaModel } from "../../src/models/llava.ts";
import { type LoadOptions, loadWeights } from "../../src/models/load.ts";
import { Checkpoint, type FolderSource, openFolder } from "../../weights/index.ts";

/** The parts of a loaded model that the public class keeps to itself. */
export interface Parts {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  readonly model: LlavaModel;
  readonly runtime: Runtime;
  readonly preparer: Preparer;
}

/** Loads a checkpoint into its parts. The caller disposes of `runtime` and `gpu`. */
export async function loadParts(source: FolderSource, found: FoundAdapter, options: LoadOptions = {}): Promise<Parts> {
  const folder = await openFolder(source);
  const config = parseConfig(await folder.json("config.json"));
  const model = llava(config);
  const gpu = await Gpu.open({ ...found, adapter: await found.request() });
  const checkpoint = await Checkpoint.open(folder);
  await loadWeights(model.parameters, checkpoint, gpu, options);
  await checkpoint.close();
  return { gpu, config, model, runtime: await Runtime.create(gpu, model, config), preparer: new Preparer(folder, config, model.rowsPerTile) };
}

/** Greedy tokens with a key/value cache, without stopping at an end token. */
export async function greedy({ runtime }: Parts, ids: Uint32Array, source: Uint32Array, count: number, chunk?: number): Promise<number[]> {
  runtime.reset();
  const tokens: number[] = [];
  let { token } = await runtime.extend(ids, source, "token", chunk ? { chunk } : {});
  for (;;) {
    tokens.push(token!);
    if (tokens.length === count) return tokens;
    ({ token } = await runtime.extend(Uint32Array.of(token!), Uint32Array.of(0xffffffff), "token"));
  }
}
