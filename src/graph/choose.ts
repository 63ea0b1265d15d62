import { chooseAttention } from "../../kernels/attention/choose.ts";
import { chooseAttentionBackwardKV, chooseAttentionBackwardQ } from "../../kernels/attention-backward/choose.ts";
import type { AdapterTraits, Family, Kernel, Params } from "../../kernels/kernel.ts";
import { chooseMatmul, chooseMatmulNN, chooseMatmulTN } from "../../kernels/matmul/choose.ts";

type Choice = (params: never, traits: AdapterTraits) => Kernel;

/** Families whose best variant depends on the shapes and the adapter. All others have their variants in order of preference. */
const choices: Readonly<Record<string, Choice>> = {
  "matmul-nt": chooseMatmul as Choice,
  "matmul-nn": chooseMatmulNN as Choice,
  "matmul-tn": chooseMatmulTN as Choice,
  attention: chooseAttention as Choice,
  "attention-backward-q": chooseAttentionBackwardQ as Choice,
  "attention-backward-kv": chooseAttentionBackwardKV as Choice,
};

/** The variant of a family to run for these parameters on this adapter. */
export function chooseKernel(family: Family, params: Params, traits: AdapterTraits): Kernel {
  const choice = choices[family.name];
  if (choice) return choice(params as never, traits);
  const usable = family.variants.filter(
    (kernel) => kernel.needs.every((feature) => traits.features.has(feature)) && kernel.accepts?.(params, traits) !== false,
  );
  return usable.at(-1) ?? family.variants[0]!;
}
