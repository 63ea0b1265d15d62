import { type Case, makeCase } from "../cases.ts";

/** With and without a class token; CLIP-L (577 tokens) and SigLIP (729 tokens) among small sizes. */
export const patchTokensCases: Case[] = [
  { batch: 1, patches: 1, prefix: 0, width: 1 },
  { batch: 3, patches: 5, prefix: 2, width: 7 },
  { batch: 2, patches: 9, prefix: 0, width: 37 },
  { batch: 2, patches: 576, prefix: 1, width: 1024 },
  { batch: 1, patches: 729, prefix: 0, width: 1152 },
].map((params) =>
  makeCase(params, 1, (random) => ({
    patches: random.normal(params.batch * params.patches * params.width),
    prefixToken: random.normal(params.prefix * params.width),
    position: random.normal((params.prefix + params.patches) * params.width),
  })),
);
