import type { AdapterTraits, Kernel, Params } from "../kernel.ts";
import type { AttentionParam } from "./attention.reference.ts";
import { attentionDecode, attentionFlash } from "./attention.ts";

type AttentionKernel = Kernel<"q" | "k" | "v", "y" | "lse", AttentionParam>;

/** The variant of `attention` to use: the first that the adapter can run and that accepts the parameters. */
export function chooseAttention(params: Params<AttentionParam>, traits: AdapterTraits): AttentionKernel {
  const preferred: AttentionKernel[] = [attentionDecode, attentionFlash];
  return preferred.find(({ accepts }) => accepts?.(params, traits) ?? true) ?? attentionFlash;
}
