import { family, kernel, type Params } from "../kernel.ts";
import backwardVec4Code from "./cross-entropy-backward-vec4.wgsl?raw";
import backwardCode from "./cross-entropy-backward.wgsl?raw";
import { crossEntropyBackwardReference, crossEntropyReference } from "./cross-entropy.reference.ts";
import vec4Code from "./cross-entropy-vec4.wgsl?raw";
import code from "./cross-entropy.wgsl?raw";

export { IGNORED_LABEL } from "./cross-entropy.reference.ts";

const forwardBindings = {
  read: ["logits", "labels", "weight"],
  write: ["loss", "lse"],
  params: ["rows", "width", "firstRow"],
} as const;

const backwardBindings = {
  read: ["labels", "weight", "lse"],
  write: ["logits"],
  params: ["rows", "width", "firstRow"],
} as const;

const quads = ({ width }: Params<"width">): boolean => width % 4 === 0;

/** One workgroup per 4,096 columns of a row. */
const blocks = ({ rows, width }: Params<"rows" | "width">): number => rows * Math.ceil(width / 4096);

/**
 * Weighted cross entropy per row, for a block of rows of the logits [rows, width]: with f = firstRow,
 * lse[f + r] = log sum_c exp(logits[r, c]), loss[f + r] = weight[f + r] · (lse[f + r] - logits[r, labels[f + r]]).
 *
 * Both are 0 where the label (u32) is `IGNORED_LABEL`; every other label must be below `width`. Other entries of loss
 * and lse keep their values. A logit that is NaN or +infinite leaves no finite loss in its row.
 */
export const crossEntropy = family({
  name: "cross-entropy",
  variants: [
    kernel({ name: "cross-entropy", code, ...forwardBindings, needs: [], groups: ({ rows }) => rows }),
    kernel({
      name: "cross-entropy-vec4",
      code: vec4Code,
      ...forwardBindings,
      needs: [],
      accepts: quads,
      groups: ({ rows }) => rows,
    }),
  ],
  reference: crossEntropyReference,
  cost: ({ rows, width }) => ({ flops: 4 * rows * width, bytes: 4 * rows * width }),
});

/**
 * The gradient of `crossEntropy`, in place of the logits [rows, width]: with f = firstRow,
 * logits[r, c] = weight[f + r] · (exp(logits[r, c] - lse[f + r]) - [c = labels[f + r]]), 0 in ignored rows.
 */
export const crossEntropyBackward = family({
  name: "cross-entropy-backward",
  variants: [
    kernel({
      name: "cross-entropy-backward",
      code: backwardCode,
      ...backwardBindings,
      needs: [],
      groups: blocks,
    }),
    kernel({
      name: "cross-entropy-backward-vec4",
      code: backwardVec4Code,
      ...backwardBindings,
      needs: [],
      accepts: quads,
      groups: blocks,
    }),
  ],
  reference: crossEntropyBackwardReference,
  cost: ({ rows, width }) => ({ flops: 4 * rows * width, bytes: 8 * rows * width }),
});
