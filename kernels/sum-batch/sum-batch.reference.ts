import type { HostArrays, Params } from "../kernel.ts";

/** y[i] = sum_b x[b · size + i]. */
export function sumBatchReference({ x }: HostArrays<"x">, { batch, size }: Params<"batch" | "size">): HostArrays<"y"> {
  const y = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    let sum = 0;
    for (let b = 0; b < batch; b++) sum += x[b * size + i];
    y[i] = sum;
  }
  return { y };
}
