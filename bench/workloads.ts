/** What is timed: operations at the sizes of the published models. */
import { attentionLayout } from "../kernels/attention/attention.cases.ts";
import { type Case, makeCase } from "../kernels/cases.ts";
import * as kernels from "../kernels/index.ts";
import type { Family, HostArrays, Kernel, Params, WeightType } from "../kernels/kernel.ts";
import type { Random } from "../kernels/random.ts";
import { attentionCall, matmulCall, type PeerCall } from "./peers/calls.ts";

/** One operation at one size. */
export interface Workload {
  readonly label: string;
  readonly family: Family;
  readonly example: Case;
  /** Element types of the weight, where the family has one. */
  readonly weights: readonly WeightType[];
  /** Which variants to time; absent: all that the adapter can run. */
  readonly keep?: (kernel: Kernel) => boolean;
  /** The same operation for another library, and the inputs and outputs that it carries from host to host. */
  readonly peer?: { readonly call: (inputs: HostArrays) => PeerCall; readonly upload: readonly string[]; readonly download: readonly string[] };
}

/** All workloads; `quick` has the same operations on less data. */
export function workloads(quick: boolean): Workload[] {
  const tokens = quick ? 65 : 577;
  const width = quick ? 1024 : 4096;
  const normal = (count: number) => (random: Random) => ({ x: random.normal(count) });
  return [
    matmul(tokens, 1024, 1024),
    { ...matmul(1, width, width), label: `matvec ${width}x${width}`, keep: ({ name }) => name.startsWith("matvec") },
    attention(quick ? 145 : 577, 16, 64),
    decodeAttention(quick ? 512 : 2048, 32, 128),
    plain("layer-norm", kernels.layerNorm, { rows: tokens, width: 1024, epsilon: 1e-5 }, 1024, (random) => ({
      x: random.normal(tokens * 1024),
      weight: random.normal(1024, 1, 0.2),
      bias: random.normal(1024),
    })),
    plain("rms-norm", kernels.rmsNorm, { rows: tokens, width, epsilon: 1e-5 }, width, (random) => ({
      x: random.normal(tokens * width),
      weight: random.normal(width, 1, 0.2),
    })),
    plain("softmax", kernels.softmax, { rows: tokens, width: 1024, scale: 0.125 }, 1024, normal(tokens * 1024)),
    plain("quick-gelu", kernels.quickGelu, { size: tokens * width }, 1, normal(tokens * width)),
    plain("gelu-tanh", kernels.geluTanh, { size: tokens * width }, 1, normal(tokens * width)),
    plain("gated", kernels.gated, { rows: tokens, width, kind: kernels.activationKinds.silu }, 1, normal(2 * tokens * width)),
    plain("add", kernels.add, { size: tokens * width }, 1, (random) => ({ a: random.normal(tokens * width), b: random.normal(tokens * width) })),
    plain("argmax", kernels.argmax, { rows: 1, width: 152064 }, 1, normal(152064)),
  ];
}

function plain(label: string, family: Family, params: Params, reduction: number, inputs: (random: Random) => HostArrays): Workload {
  const { epsilon: _epsilon, scale: _scale, kind: _kind, ...sizes } = params;
  return { label: `${label} ${Object.values(sizes).join("x")}`, family, example: makeCase(params, reduction, inputs), weights: ["f32"] };
}

function matmul(rows: number, columns: number, inner: number): Workload {
  const params = { rows, columns, inner, xStride: inner, yStride: columns, yOffset: 0, biased: 0 };
  const inputs = (random: Random) => ({
    x: random.normal(rows * inner),
    weight: random.normal(columns * inner, 0, 1 / Math.sqrt(inner)),
    bias: new Float32Array(4),
  });
  return {
    label: `matmul ${rows}x${columns}x${inner}`,
    family: kernels.matmulNT,
    example: makeCase(params, inner, inputs),
    weights: ["f32", "f16"],
    // One row fits the matrix-vector variants only, many rows fit the others only; the tables compare like with like.
    keep: ({ name }) => !name.startsWith("matvec"),
    peer: { call: ({ x, weight }) => matmulCall(rows, columns, inner, x as Float32Array, weight as Float32Array), upload: ["x"], download: ["y"] },
  };
}

/** A vision tower's attention: every query sees every key. q, k and v are matrices of their own, as the peer takes them. */
function attention(tokens: number, heads: number, headSize: number): Workload {
  const { params, lengths } = attentionLayout({ note: "", queries: tokens, keys: tokens, heads, headSize });
  const inputs = (random: Random) => ({ q: random.normal(lengths.q), k: random.normal(lengths.kv), v: random.normal(lengths.kv) });
  return {
    label: `attention ${tokens}x${heads}x${headSize}`,
    family: kernels.attention,
    example: makeCase(params, headSize + tokens, inputs, { builtins: 16 }),
    weights: ["f32"],
    peer: {
      call: ({ q, k, v }) => attentionCall(tokens, heads, headSize, { q, k, v } as Record<"q" | "k" | "v", Float32Array>),
      upload: ["q", "k", "v"],
      download: ["y"],
    },
  };
}

/** One query against a cache. */
function decodeAttention(keys: number, heads: number, headSize: number): Workload {
  const { params, lengths } = attentionLayout({ note: "", queries: 1, keys, heads, headSize, position: keys - 1 });
  const inputs = (random: Random) => ({ q: random.normal(lengths.q), k: random.normal(lengths.kv), v: random.normal(lengths.kv) });
  return {
    label: `attention, one query ${keys}x${heads}x${headSize}`,
    family: kernels.attention,
    example: makeCase(params, headSize + keys, inputs, { builtins: 16 }),
    weights: ["f32"],
  };
}
