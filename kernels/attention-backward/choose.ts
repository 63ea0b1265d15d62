import type { AttentionParam } from "../attention/attention.reference.ts";
import type { AdapterTraits, Kernel, Params } from "../kernel.ts";
import type { AttentionBackwardInput } from "./attention-backward.reference.ts";
import {
  attentionBackwardKVSubgroup, attentionBackwardKVTile, attentionBackwardQSubgroup, attentionBackwardQTile,
} from "./attention-backward.ts";

/** The variant of `attention-backward-q` to use: broadcasts on a software adapter, workgroup memory elsewhere. */
export function chooseAttentionBackwardQ(
  params: Params<AttentionParam>,
  traits: AdapterTraits,
): Kernel<AttentionBackwardInput, "dq", AttentionParam> {
  return takes(attentionBackwardQSubgroup, params, traits) ? attentionBackwardQSubgroup : attentionBackwardQTile;
}

/** The variant of `attention-backward-kv` to use, likewise. */
export function chooseAttentionBackwardKV(
  params: Params<AttentionParam>,
  traits: AdapterTraits,
): Kernel<AttentionBackwardInput, "dk" | "dv", AttentionParam> {
  return takes(attentionBackwardKVSubgroup, params, traits) ? attentionBackwardKVSubgroup : attentionBackwardKVTile;
}

function takes<W extends string>(
  { needs, accepts }: Kernel<AttentionBackwardInput, W, AttentionParam>,
  params: Params<AttentionParam>,
  traits: AdapterTraits,
): boolean {
  const usable = needs.every((feature) => traits.features.has(feature)) && (accepts?.(params, traits) ?? true);
  return traits.software && usable;
}
