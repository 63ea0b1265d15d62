import type { HostArrays, Params } from "../kernel.ts";

/** y[i] = x[i]: packed weights reach a reference as the f32 values they stand for. */
export function unpackReference({ x }: HostArrays<"x">, { size }: Params<"size">): HostArrays<"y"> {
  const y = new Float32Array(size);
  for (let i = 0; i < size; i++) y[i] = x[i]!;
  return { y };
}

/** The IEEE half-precision bits nearest to a number, ties to even; 65,520 and more become infinity. */
export function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  // Numbers in [2^e, 2^(e+1)) are multiples of 2^(e-10); those below 2^-14 are multiples of 2^-24. The candidates are
  // e = -14 … 15, and the bits are the exponent's field times 1,024 plus the count of steps above its first number.
  let exponent = -14;
  while (exponent < 15 && magnitude >= 2 ** (exponent + 1)) exponent++;
  const steps = magnitude / 2 ** (exponent - 10);
  const below = Math.floor(steps);
  const up = steps - below > 0.5 || (steps - below === 0.5 && below % 2 === 1);
  return sign | ((exponent + 14) * 1024 + below + (up ? 1 : 0));
}

/** y[i] = half(x[2i]) | half(x[2i + 1]) << 16; the upper half of the last word of an odd size is zero. */
export function packReference({ x }: HostArrays<"x">, { size }: Params<"size">): HostArrays<"y"> {
  const y = new Uint32Array(Math.ceil(size / 2));
  for (let i = 0; i < size; i++) y[i >> 1] |= halfBits(x[i]!) << (16 * (i % 2));
  return { y };
}
