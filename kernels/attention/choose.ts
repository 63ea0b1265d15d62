import type { AdapterTraits, Kernel, Params } from "../kernel.ts";
import type { AttentionParam } from "./attention.reference.ts";
import { attentionDecode, attentionDecodeSubgroup, attentionFlash, attentionFlashSubgroup } from "./attention.ts";

/** A variant of `attention`. */
export type AttentionKernel = Kernel<"q" | "k" | "v", "y" | "lse", AttentionParam>;

/**
 * The variants in order of preference. On a software adapter, where barriers are dear, the subgroup kernels win: one
 * query has a kernel of its own, two already gain from the one whose 32 queries share the reading of keys and values.
 */
function preferences(queries: number, software: boolean): readonly AttentionKernel[] {
  if (!software) return [attentionDecode, attentionFlash];
  return [queries === 1 ? attentionDecodeSubgroup : attentionFlashSubgroup, attentionDecode, attentionFlash];
}

/** The variant of `attention` to use: the first in order of preference that runs on the adapter and accepts this. */
export function chooseAttention(params: Params<AttentionParam>, traits: AdapterTraits): AttentionKernel {
  const usable = ({ needs, accepts }: AttentionKernel): boolean =>
    needs.every((feature) => traits.features.has(feature)) && (accepts?.(params, traits) ?? true);
  return preferences(params.queries, traits.software).find(usable) ?? attentionFlash;
}
