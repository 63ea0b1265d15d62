import { crossEntropy as kernels, crossEntropyBackward, IGNORED_LABEL } from "../../kernels/index.ts";
import { expectShape, type Parameter, shapeText, type Tensor } from "../graph/tensor.ts";
import { linear, linearBackwardX, outerProducts } from "./linear.ts";
import { sliceRows } from "./rows.ts";

/** A label that is not learnt. */
export const IGNORED = IGNORED_LABEL;

/** Bytes of logits that are held at once: larger vocabularies are taken in blocks of rows. */
const LOGITS_BYTES = 64 * 2 ** 20;

/**
 * loss[r] = weight[r] · (log Σ_v exp(h_r · w_v) - h_r · w_label[r]): the language model's head and its cross entropy in one.
 *
 * The logits of all rows never exist together: blocks of rows are computed, reduced to their log-sum-exp, dropped, and
 * computed again for the gradient. The gradient is that of the sum of the rows; other factors belong into `weight`.
 *
 * @param hidden [n, D]
 * @param head [V, D]
 * @param labels [n] (u32), IGNORED where nothing is learnt
 * @param weight [n]: 1 / (number of learning tokens) for a mean
 * @returns [n]; 0 where ignored
 */
export function linearCrossEntropy(hidden: Tensor, head: Parameter, labels: Tensor, weight: Tensor): Tensor {
  const [vocabulary] = head.shape as [number, number];
  const { graph, rows, width } = hidden;
  expectShape(
    labels.type === "u32" && labels.size === rows && weight.size === rows,
    () => `linearCrossEntropy: expected ${rows} labels (u32) and weights, got ${labels.type} ${shapeText(labels.shape)} and ${shapeText(weight.shape)}`,
  );
  const perBlock = Math.max(1, Math.min(rows, Math.floor(LOGITS_BYTES / (4 * vocabulary))));
  const blocks = Array.from({ length: Math.ceil(rows / perBlock) }, (_, i) => ({ first: i * perBlock, count: Math.min(perBlock, rows - i * perBlock) }));
  const block = ({ first, count }: (typeof blocks)[number]) => sliceRows(hidden, { rows: count, width, fromRow: first });
  const loss = graph.value([rows]);
  const lse = graph.value([rows]);
  const logits = blocks.map((part) => linear(block(part), head));
  graph.record({
    op: "linearCrossEntropy",
    inputs: [hidden, head, labels, weight],
    outputs: [loss, lse],
    calls: blocks.map(({ first, count }, i) => ({
      family: kernels,
      read: { logits: logits[i]!, labels, weight },
      write: { loss, lse },
      params: { rows: count, width: vocabulary, firstRow: first },
    })),
    backward: (_upstream, needs) => {
      let dhead: Tensor | undefined;
      const gradients = blocks.flatMap((part) => {
        const h = block(part);
        const scores = linear(h, head);
        graph.record({
          op: "crossEntropyBackward",
          inputs: [scores, labels, weight, lse],
          outputs: [scores],
          calls: [
            {
              family: crossEntropyBackward,
              read: { labels, weight, lse },
              write: { logits: scores },
              params: { rows: part.count, width: vocabulary, firstRow: part.first },
            },
          ],
        });
        if (needs(head)) dhead = outerProducts(scores, h, dhead);
        return needs(hidden) ? [{ to: hidden, value: linearBackwardX(scores, head, [part.count, width]), row: part.first }] : [];
      });
      return dhead ? [...gradients, { to: head, value: dhead }] : gradients;
    },
  });
  return loss;
}
