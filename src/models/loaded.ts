import type { Folder } from "../../weights/index.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { ModelConfig } from "./config.ts";
import type { LlavaModel } from "./llava.ts";

/** A model whose weights are on a GPU, with the folder that they came from. */
export interface LoadedModel {
  readonly gpu: Gpu;
  readonly model: LlavaModel;
  readonly config: ModelConfig;
  readonly folder: Folder;
}
