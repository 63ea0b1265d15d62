import { readFileSync } from "node:fs";
import { modelTypes } from "../../../src/models/config.ts";

/** The parsed files of one checkpoint. */
export interface ConfigFiles {
  config: Record<string, unknown>;
  generation?: Record<string, unknown>;
}

const file = new URL("configs.json", import.meta.url);

/** The oracle's checkpoints by name. */
export const configs = JSON.parse(readFileSync(file, "utf8")) as Record<string, ConfigFiles>;

/** Names of the checkpoints that can be read: a supported model type in the Hugging Face layout. */
export const supported = Object.keys(configs).filter((name) => {
  const { config } = configs[name];
  return modelTypes.includes(String(config.model_type)) && config.mm_vision_tower === undefined;
});
