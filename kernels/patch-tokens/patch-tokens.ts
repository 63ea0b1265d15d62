import { family, kernel } from "../kernel.ts";
import { patchTokensReference } from "./patch-tokens.reference.ts";
import code from "./patch-tokens.wgsl?raw";

/**
 * Input rows of a vision transformer: patches [batch, patches, width], prefixToken [prefix, width] (unread if `prefix`
 * is 0) and position [prefix + patches, width] -> y [batch, prefix + patches, width].
 */
export const patchTokens = family({
  name: "patch-tokens",
  variants: [
    kernel({
      name: "patch-tokens",
      code,
      read: ["patches", "prefixToken", "position"],
      write: ["y"],
      params: ["batch", "patches", "prefix", "width"],
      needs: [],
      groups: ({ batch, patches, prefix, width }) => Math.ceil((batch * (prefix + patches) * width) / 64),
    }),
  ],
  reference: patchTokensReference,
  cost: ({ batch, patches, prefix, width }) => {
    const tokens = prefix + patches;
    return {
      flops: batch * tokens * width,
      bytes: 4 * width * (batch * patches + prefix + tokens + batch * tokens),
    };
  },
});
