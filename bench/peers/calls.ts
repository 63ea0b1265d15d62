/** Our workloads as calls of another library. */
import { onnxModel } from "./onnx.ts";

/** A model with what to feed it. */
export interface PeerCall {
  readonly model: Uint8Array;
  readonly feeds: Readonly<Record<string, { readonly dims: readonly number[]; readonly data: Float32Array }>>;
  readonly output: string;
}

/** y = x · weightᵀ; the weight is part of the model, in ONNX's order [inner, columns]. */
export function matmulCall(rows: number, columns: number, inner: number, x: Float32Array, weight: Float32Array): PeerCall {
  const transposed = new Float32Array(weight.length);
  for (let n = 0; n < columns; n++) for (let k = 0; k < inner; k++) transposed[k * columns + n] = weight[n * inner + k];
  const dims = [rows, inner];
  const model = onnxModel({
    type: "MatMul",
    domain: "",
    inputs: [{ name: "x", dims }, { name: "weight", dims: [inner, columns], values: transposed }],
    output: { name: "y", dims: [rows, columns] },
  });
  return { model, feeds: { x: { dims, data: x } }, output: "y" };
}

/** Full attention of one sequence, by ONNX Runtime's MultiHeadAttention; its scale is 1 / sqrt(headSize) too. */
export function attentionCall(tokens: number, heads: number, headSize: number, inputs: Record<"q" | "k" | "v", Float32Array>): PeerCall {
  const dims = [1, tokens, heads * headSize];
  const model = onnxModel({
    type: "MultiHeadAttention",
    domain: "com.microsoft",
    attributes: { num_heads: heads },
    inputs: [{ name: "q", dims }, { name: "k", dims }, { name: "v", dims }],
    output: { name: "y", dims },
  });
  return { model, feeds: { q: { dims, data: inputs.q }, k: { dims, data: inputs.k }, v: { dims, data: inputs.v } }, output: "y" };
}
