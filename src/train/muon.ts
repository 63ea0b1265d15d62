/** Muon (Jordan et al. 2024): momentum whose matrices are made orthogonal before they are stepped along. */
import { matmulNN, matmulNT, muonMomentum, muonUpdate, newtonSchulz, sumSquares, unitNorm } from "../../kernels/index.ts";
import type { Graph } from "../graph/graph.ts";
import type { Resident, Scalar, Tensor } from "../graph/tensor.ts";
import { outerProducts } from "../ops/index.ts";
import type { Slot } from "./slots.ts";

/** Jordan's quintic: steep at 0, and kept within about 0.7 and 1.2 beyond. */
const [A, B, C] = [3.4445, -4.775, 2.0315];
const STEPS = 5;
/** Below this norm a matrix counts as zero. */
const EPSILON = 1e-7;
/** The root mean square of AdamW's steps, which Muon's are given (Liu et al. 2025). */
const STEP_SIZE = 0.2;

/** What a step of Muon works on beside a slot's values. */
export interface MuonState {
  readonly gradient: Resident;
  readonly m: Resident;
  /** Norm over all gradients, [1]. */
  readonly norm: Tensor;
  readonly learningRate: Scalar;
}

/** Settings of a step. */
export interface MuonSettings {
  readonly momentum: number;
  readonly weightDecay: number;
  readonly maxNorm: number;
}

/**
 * Whether Muon is for a slot: the matrices between hidden states, those of transformer layers and projector. Embeddings,
 * head and the low-rank factors of adapters are none of these.
 */
export function isMuonSlot({ name, shape }: Slot): boolean {
  return shape.length === 2 && /^((vision|language)\.layers\.\d+|projector)\./.test(name) && !/\.lora[AB]\.weight$/.test(name);
}

/**
 * Traces one step of Muon for a slot of shape [R, C], as `torch.optim.Muon` with `adjust_lr_fn="match_rms_adamw"`:
 * g clipped; m = μ · m + (1 - μ) · g; u = μ · m + (1 - μ) · g; O = orthogonal(u);
 * W = W · (1 - rate · decay) - rate · 0.2 · sqrt(max(R, C)) · O. PyTorch computes O in bfloat16, this in f32.
 */
export function traceMuon(graph: Graph, slot: Slot, state: MuonState, { momentum, weightDecay, maxNorm }: MuonSettings): void {
  const { parameter, offset, count, shape, decays } = slot;
  const { gradient, m, norm, learningRate } = state;
  const u = graph.value(shape);
  graph.record({
    op: "muonMomentum",
    inputs: [norm],
    outputs: [u],
    calls: [{ family: muonMomentum, read: { gradient, norm }, write: { m, u }, params: { offset, count, momentum, share: 1 - momentum, maxNorm } }],
  });
  const direction = orthogonal(u);
  const factor = STEP_SIZE * Math.sqrt(Math.max(...shape));
  graph.record({
    op: "muonUpdate",
    inputs: [direction],
    outputs: [],
    calls: [
      {
        family: muonUpdate,
        read: { direction },
        write: { parameter: parameter.block },
        params: { offset, count, learningRate, factor, weightDecay: decays ? weightDecay : 0 },
      },
    ],
  });
}

/**
 * About the orthogonal matrix that is nearest to x [R, C], U Vᵀ for x = U S Vᵀ: five Newton-Schulz steps
 * X = (a · I + b · G + c · G²) X with G = X Xᵀ, from x / ‖x‖. They bring the singular values to about 1 (0.7 to 1.2), all
 * but those that are tiny beside the largest.
 *
 * With more rows than columns the smaller Gram matrix XᵀX stands on the other side, X (a · I + b · G + c · G²), which is
 * the same as transposing before and after.
 */
function orthogonal(x: Tensor): Tensor {
  let y = unit(x);
  for (let i = 0; i < STEPS; i++) {
    const p = polynomial(gram(y));
    y = x.rows > x.width ? product(y, p) : product(p, y);
  }
  return y;
}

/** x / ‖x‖. */
function unit(x: Tensor): Tensor {
  const { graph } = x;
  const square = graph.value([1]);
  graph.record({ op: "sumSquares", inputs: [x], outputs: [square], calls: [{ family: sumSquares, read: { x }, write: { y: square }, params: { offset: 0, count: x.size, slot: 0 } }] });
  const y = graph.value(x.shape);
  graph.record({ op: "unitNorm", inputs: [x, square], outputs: [y], calls: [{ family: unitNorm, read: { x, square }, write: { y }, params: { size: x.size, epsilon: EPSILON } }] });
  return y;
}

/** The smaller of x xᵀ and xᵀ x: [R, C] -> [N, N], N = min(R, C). */
function gram(x: Tensor): Tensor {
  const { graph, rows, width } = x;
  if (rows > width) return outerProducts(x, x);
  const y = graph.value([rows, rows]);
  graph.record({
    op: "gram",
    inputs: [x],
    outputs: [y],
    calls: [
      {
        family: matmulNT,
        // Every binding must be bound: without a bias the kernel never reads this one.
        read: { x, weight: x, bias: x },
        write: { y },
        params: { rows, columns: rows, inner: width, xStride: width, yStride: rows, yOffset: 0, biased: 0 },
      },
    ],
  });
  return y;
}

/** a · I + b · x + c · x²: [N, N] -> [N, N]. */
function polynomial(x: Tensor): Tensor {
  const x2 = product(x, x);
  const y = x.graph.value(x.shape);
  x.graph.record({ op: "newtonSchulz", inputs: [x, x2], outputs: [y], calls: [{ family: newtonSchulz, read: { x, x2 }, write: { y }, params: { n: x.rows, a: A, b: B, c: C } }] });
  return y;
}

/** x · z: [R, N], [N, C] -> [R, C]. */
function product(x: Tensor, z: Tensor): Tensor {
  const y = x.graph.value([x.rows, z.width]);
  x.graph.record({
    op: "product",
    inputs: [x, z],
    outputs: [y],
    calls: [
      {
        family: matmulNN,
        read: { x, weight: z },
        write: { y },
        params: { rows: x.rows, columns: z.width, inner: x.width, xStride: x.width, xOffset: 0, yStride: z.width, accumulate: 0 },
      },
    ],
  });
  return y;
}
