import { WeightError } from "./error.ts";

/** Bytes per element of each element type that a safetensors file may name. */
export const dtypeBytes = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;

/** Element type, spelt as in safetensors: `F32`, `BF16`, `I64`, ... */
export type DType = keyof typeof dtypeBytes;

/** Whether `name` is an element type that this library knows. */
export function isDType(name: unknown): name is DType {
  return typeof name === "string" && Object.hasOwn(dtypeBytes, name);
}

/** One IEEE 754 half as a number, exactly: (-1)^s 2^(e-15) (1 + m/1024), subnormals (-1)^s 2^-14 m/1024. */
export function halfToNumber(half: number): number {
  const exponent = (half >> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  const sign = half & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

/** f16 [n] as bits -> f32 [n], exactly. A NaN keeps its sign and payload. */
export function halfToFloat32(halves: Uint16Array): Float32Array {
  const floats = new Float32Array(halves.length);
  const bits = new Uint32Array(floats.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i];
    const exponent = half & 0x7c00;
    const sign = (half & 0x8000) << 16;
    // 112 is the difference of the exponent biases, 127 - 15.
    if (exponent === 0) floats[i] = halfToNumber(half);
    else if (exponent === 0x7c00) bits[i] = sign | 0x7f800000 | ((half & 0x3ff) << 13);
    else bits[i] = sign | (((half & 0x7fff) << 13) + (112 << 23));
  }
  return floats;
}

/** f32 [n] -> f16 [n] as bits, to nearest, ties to even; too large becomes infinite, a NaN stays a (quiet) NaN. */
export function float32ToHalf(floats: Float32Array): Uint16Array {
  const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  const halves = new Uint16Array(floats.length);
  for (let i = 0; i < bits.length; i++) {
    const sign = (bits[i] >>> 16) & 0x8000;
    const magnitude = bits[i] & 0x7fffffff;
    halves[i] = sign | halfMagnitude(magnitude);
  }
  return halves;
}

function halfMagnitude(magnitude: number): number {
  if (magnitude > 0x7f800000) return 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude >= 0x47800000) return 0x7c00; // 65536 and above
  if (magnitude >= 0x38800000) return shiftRight(magnitude - (112 << 23), 13); // normal: 2^-14 and above
  if (magnitude <= 0x33000000) return 0; // 2^-25, half the least subnormal, is a tie and 0 is the even one
  return shiftRight((magnitude & 0x7fffff) | 0x800000, 126 - (magnitude >>> 23));
}

/** value / 2^shift, to nearest, ties to even. A carry into the exponent field is the right next float. */
function shiftRight(value: number, shift: number): number {
  const odd = (value >>> shift) & 1;
  return (value + (1 << (shift - 1)) - 1 + odd) >>> shift;
}

/** bf16 [n] as bits -> f32 [n], exactly: a bf16 is the upper half of an f32. */
export function bfloat16ToFloat32(values: Uint16Array): Float32Array {
  const bits = new Uint32Array(values.length);
  for (let i = 0; i < values.length; i++) bits[i] = values[i] << 16;
  return new Float32Array(bits.buffer);
}

/** f32 [n] -> bf16 [n] as bits, to nearest, ties to even; a NaN stays a (quiet) NaN. */
export function float32ToBfloat16(floats: Float32Array): Uint16Array {
  const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  const values = new Uint16Array(floats.length);
  for (let i = 0; i < bits.length; i++) {
    const isNaN = (bits[i] & 0x7fffffff) > 0x7f800000;
    values[i] = isNaN ? (bits[i] >>> 16) | 0x40 : (bits[i] + 0x7fff + ((bits[i] >>> 16) & 1)) >>> 16;
  }
  return values;
}

/**
 * The elements in `bytes` (little-endian) as float32, each rounded to nearest, ties to even; `BOOL` gives 0 and 1.
 * Always a new array.
 *
 * @throws WeightError if `bytes` does not hold whole elements, or for the 8-bit floats, which are known by name only.
 */
export function toFloat32(bytes: Uint8Array, dtype: DType): Float32Array {
  const size = dtypeBytes[dtype];
  if (bytes.length % size !== 0) {
    throw new WeightError(`toFloat32: expected whole ${dtype} elements of ${size} bytes, got ${bytes.length} bytes`, {
      expected: size,
      got: bytes.length,
    });
  }
  // A copy starts at offset 0, so every element type is aligned in it.
  const buffer = bytes.slice().buffer;
  switch (dtype) {
    case "F64":
      return new Float32Array(new Float64Array(buffer));
    case "F32":
      return new Float32Array(buffer);
    case "F16":
      return halfToFloat32(new Uint16Array(buffer));
    case "BF16":
      return bfloat16ToFloat32(new Uint16Array(buffer));
    case "I64":
      return Float32Array.from(new BigInt64Array(buffer), roundForFloat32);
    case "U64":
      return Float32Array.from(new BigUint64Array(buffer), roundForFloat32);
    case "I32":
      return new Float32Array(new Int32Array(buffer));
    case "U32":
      return new Float32Array(new Uint32Array(buffer));
    case "I16":
      return new Float32Array(new Int16Array(buffer));
    case "U16":
      return new Float32Array(new Uint16Array(buffer));
    case "I8":
      return new Float32Array(new Int8Array(buffer));
    case "U8":
      return new Float32Array(new Uint8Array(buffer));
    case "BOOL":
      return Float32Array.from(new Uint8Array(buffer), (value) => (value === 0 ? 0 : 1));
    default:
      throw new WeightError(`toFloat32: ${dtype} is known but cannot be converted; convert the checkpoint to BF16`, {
        got: dtype,
      });
  }
}

/**
 * A 64-bit integer as a double that rounds to the same float32 as the integer itself. Rounding twice (to 53 bits, then
 * to 24) could go wrong at a tie, so the bits that a double cannot hold are kept as one sticky bit (round to odd).
 */
function roundForFloat32(value: bigint): number {
  if (value >= -(1n << 53n) && value <= 1n << 53n) return Number(value);
  const sticky = (value & 0x7ffn) === 0n ? 0n : 1n;
  return Number((value >> 11n) | sticky) * 2048;
}

/**
 * float32 values as the bytes (little-endian) of a float type, rounded to nearest, ties to even. Always a new array.
 *
 * @throws WeightError for any other type.
 */
export function fromFloat32(values: Float32Array, dtype: DType): Uint8Array {
  switch (dtype) {
    case "F64":
      return new Uint8Array(new Float64Array(values).buffer);
    case "F32":
      return new Uint8Array(values.slice().buffer);
    case "F16":
      return new Uint8Array(float32ToHalf(values).buffer);
    case "BF16":
      return new Uint8Array(float32ToBfloat16(values).buffer);
    default:
      throw new WeightError(`fromFloat32: expected F64, F32, F16 or BF16, got ${dtype}`, { got: dtype });
  }
}
