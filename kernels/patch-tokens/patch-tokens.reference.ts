import type { HostArrays, Params } from "../kernel.ts";

/** y[b, t, d] = (t < prefix ? prefixToken[t, d] : patches[b, t - prefix, d]) + position[t, d]. */
export function patchTokensReference(
  { patches: embedded, prefixToken, position }: HostArrays<"patches" | "prefixToken" | "position">,
  { batch, patches, prefix, width }: Params<"batch" | "patches" | "prefix" | "width">,
): HostArrays<"y"> {
  const tokens = prefix + patches;
  const y = new Float32Array(batch * tokens * width);
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < tokens; t++) {
      for (let d = 0; d < width; d++) {
        const token = t < prefix ? prefixToken[t * width + d]! : embedded[(b * patches + t - prefix) * width + d]!;
        y[(b * tokens + t) * width + d] = token + position[t * width + d]!;
      }
    }
  }
  return { y };
}
