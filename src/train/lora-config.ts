/** peft's `adapter_config.json`. */
import { WeightError } from "../../weights/index.ts";
import { endsWithName } from "./lora-modules.ts";

/** What a configuration says about its adapters. */
export interface AdapterSettings {
  /** Factor of the adapter of a module that has this rank: alpha / rank, or alpha / sqrt(rank) for rank-stabilised LoRA. */
  scale(module: string, rank: number): number;
  readonly dropout: number;
}

/** Fields that change what an adapter computes in ways that are not supported, and their harmless values. */
const PLAIN: Readonly<Record<string, readonly unknown[]>> = {
  peft_type: ["LORA"],
  bias: [undefined, null, "none"],
  fan_in_fan_out: [undefined, null, false],
  use_dora: [undefined, null, false],
  lora_bias: [undefined, null, false],
  alora_invocation_tokens: [undefined, null],
  layer_replication: [undefined, null],
};

/** Reads a LoRA configuration. Throws `WeightError` for anything that is not plain LoRA. */
export function parseAdapterConfig(value: unknown, file: string): AdapterSettings {
  const fail = (field: string, expected: string, got: unknown): WeightError =>
    new WeightError(`${file}: ${field}: expected ${expected}, got ${JSON.stringify(got)}`, { file, expected, got });
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw fail("the file", "an object", value);
  const config = value as Record<string, unknown>;
  for (const [field, harmless] of Object.entries(PLAIN)) {
    if (!harmless.includes(config[field])) throw fail(field, `${harmless.map((one) => JSON.stringify(one) ?? "no value").join(" or ")}`, config[field]);
  }
  const saved = config.modules_to_save;
  if (Array.isArray(saved) ? saved.length > 0 : saved !== undefined && saved !== null) throw fail("modules_to_save", "none", saved);
  const { lora_alpha: alpha, lora_dropout: dropout = 0, use_rslora: stabilised = false, alpha_pattern: pattern } = config;
  if (!isNumber(alpha)) throw fail("lora_alpha", "a number", alpha);
  if (!(isNumber(dropout) && dropout >= 0 && dropout < 1)) throw fail("lora_dropout", "a number from 0 to below 1", dropout);
  const alphas = Object.entries(pattern ?? {});
  for (const [name, one] of alphas) {
    if (!/^[\w.]+$/.test(name) || !isNumber(one)) throw fail("alpha_pattern", "numbers by (ends of) module names", pattern);
  }
  return {
    dropout,
    scale: (module, rank) => {
      const own = alphas.find(([name]) => endsWithName(module, name))?.[1] as number | undefined;
      return (own ?? alpha) / (stabilised ? Math.sqrt(rank) : rank);
    },
  };
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
