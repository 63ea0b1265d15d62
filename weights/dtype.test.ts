import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bfloat16ToFloat32,
  float32ToBfloat16,
  float32ToHalf,
  fromFloat32,
  halfToFloat32,
  halfToNumber,
  toFloat32,
} from "./dtype.ts";
import type { DType } from "./dtype.ts";
import { WeightError } from "./error.ts";

const every16 = Uint16Array.from({ length: 65536 }, (_, i) => i);
const finiteHalves = [...every16].filter((half) => (half & 0x7c00) !== 0x7c00);
const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Reference: the 16-bit float nearest to `x`, ties to the even pattern, by search among the non-negative ones. */
function nearest16(x: number, valueOf: (bits: number) => number, infinity: number): number {
  let low = 0;
  let high = infinity;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (valueOf(middle) <= x) low = middle;
    else high = middle;
  }
  // Above the largest finite value the next step, which would be the next power of two, stands for infinity.
  const above = high === infinity ? 2 * valueOf(infinity - 1) - valueOf(infinity - 2) : valueOf(high);
  const [down, up] = [x - valueOf(low), above - x];
  if (down === up) return low % 2 === 0 ? low : high;
  return down < up ? low : high;
}

const float = fc.oneof(
  { weight: 3, arbitrary: fc.float({ noNaN: true, noDefaultInfinity: true, min: -70000, max: 70000 }) },
  { weight: 1, arbitrary: fc.float({ noNaN: true, noDefaultInfinity: true, min: -(2 ** -13), max: 2 ** -13 }) },
  { weight: 1, arbitrary: fc.float({ noNaN: true }) },
);

describe("f16", () => {
  it("reads every pattern by the definition", () => {
    const floats = halfToFloat32(every16);
    for (const half of every16) {
      const sign = half >= 0x8000 ? -1 : 1;
      const [exponent, mantissa] = [(half >> 10) & 31, half & 1023];
      const special = mantissa === 0 ? sign * Infinity : NaN;
      const subnormal = sign * (mantissa / 1024) * 2 ** -14;
      const normal = sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
      const expected = exponent === 31 ? special : exponent === 0 ? subnormal : normal;
      if (!Object.is(floats[half], expected) || !Object.is(halfToNumber(half), expected)) {
        expect([half, floats[half], halfToNumber(half)]).toEqual([half, expected, expected]);
      }
    }
  });

  it("writes every pattern back", () => {
    const back = float32ToHalf(halfToFloat32(every16));
    for (const half of every16) {
      const isNaN = (half & 0x7fff) > 0x7c00;
      if (back[half] !== (isNaN ? half | 0x200 : half)) expect([half, back[half]]).toEqual([half, half]);
    }
  });

  it("rounds exact midpoints to even, and values beside them to the nearest", () => {
    for (const half of finiteHalves.filter((bits) => bits < 0x7bff)) {
      const middle = (halfToNumber(half) + halfToNumber(half + 1)) / 2;
      const up = middle * (1 + 2 ** -23);
      const down = middle * (1 - 2 ** -24);
      const got = [...float32ToHalf(Float32Array.of(middle, up, down, -middle))];
      const even = half % 2 === 0 ? half : half + 1;
      const expected = [even, half + 1, half, even | 0x8000];
      if (got.some((bits, i) => bits !== expected[i])) expect([half, ...got]).toEqual([half, ...expected]);
    }
  });

  it("overflows to infinity from 65520 on", () => {
    const values = Float32Array.of(65504, 65519.996, 65520, 65536, 3e38, Infinity, -65520, NaN);
    const halves = [...float32ToHalf(values)];
    expect(halves).toEqual([0x7bff, 0x7bff, 0x7c00, 0x7c00, 0x7c00, 0x7c00, 0xfc00, 0x7e00]);
  });

  it("is nearest-even for any float (property)", () => {
    fc.assert(
      fc.property(float, (x) => {
        const expected = Number.isFinite(x) ? nearest16(Math.abs(x), halfToNumber, 0x7c00) : 0x7c00;
        expect(float32ToHalf(Float32Array.of(x))[0] & 0x7fff).toBe(expected);
      }),
      { numRuns: 3000, seed: 1 },
    );
  });
});

describe("bf16", () => {
  const valueOf = (bits: number): number => bfloat16ToFloat32(Uint16Array.of(bits))[0];

  it("reads the upper half of an f32, and writes every pattern back", () => {
    expect(valueOf(0x3f80)).toBe(1);
    expect(valueOf(0xc049)).toBe(-3.140625);
    expect(valueOf(1)).toBe(2 ** -133);
    const back = float32ToBfloat16(bfloat16ToFloat32(every16));
    for (const bits of every16) {
      const isNaN = (bits & 0x7fff) > 0x7f80;
      if (back[bits] !== (isNaN ? bits | 0x40 : bits)) expect([bits, back[bits]]).toEqual([bits, bits]);
    }
  });

  it("keeps a NaN whose payload lies in the lost half", () => {
    const nan = new Float32Array(Uint32Array.of(0x7f800001, 0xffffffff).buffer);
    expect([...float32ToBfloat16(nan)]).toEqual([0x7fc0, 0xffff]);
  });

  it("is nearest-even for any float (property)", () => {
    fc.assert(
      fc.property(float, (x) => {
        const expected = Number.isFinite(x) ? nearest16(Math.abs(x), valueOf, 0x7f80) : 0x7f80;
        expect(float32ToBfloat16(Float32Array.of(x))[0] & 0x7fff).toBe(expected);
      }),
      { numRuns: 3000, seed: 2 },
    );
  });
});

describe("toFloat32", () => {
  const cases: [DType, ArrayBufferView, number[]][] = [
    ["F64", Float64Array.of(0.1, -2.5, 1e300), [Math.fround(0.1), -2.5, Infinity]],
    ["F32", Float32Array.of(0.1, -0, Infinity), [Math.fround(0.1), -0, Infinity]],
    ["F16", Uint16Array.of(0x3c00, 0x8001), [1, -(2 ** -24)]],
    ["BF16", Uint16Array.of(0x3f80, 0xff80), [1, -Infinity]],
    ["I64", BigInt64Array.of(-1n, 1n << 40n), [-1, 2 ** 40]],
    ["U64", BigUint64Array.of(0n, (1n << 64n) - 1n), [0, 2 ** 64]],
    ["I32", Int32Array.of(-2147483648, 16777217), [-2147483648, 16777216]],
    ["U32", Uint32Array.of(4294967295), [4294967296]],
    ["I16", Int16Array.of(-32768, 5), [-32768, 5]],
    ["U16", Uint16Array.of(65535), [65535]],
    ["I8", Int8Array.of(-128, 127), [-128, 127]],
    ["U8", Uint8Array.of(255), [255]],
    ["BOOL", Uint8Array.of(0, 1, 7), [0, 1, 1]],
  ];

  it.each(cases)("converts %s", (dtype, array, expected) => {
    expect([...toFloat32(bytesOf(array), dtype)]).toEqual(expected);
  });

  it.each(cases)("takes %s at an odd offset and leaves it alone", (dtype, array, expected) => {
    const padded = new Uint8Array(array.byteLength + 1);
    padded.set(bytesOf(array), 1);
    const floats = toFloat32(padded.subarray(1), dtype);
    expect([...floats]).toEqual(expected);
    floats.fill(9);
    expect(padded.subarray(1)).toEqual(bytesOf(array));
  });

  it("rounds 64-bit integers once", () => {
    // 2^60 + 2^36 is a tie that goes down to 2^60; one more must go up, though a double cannot hold it.
    const tie = (1n << 60n) + (1n << 36n);
    const values = BigInt64Array.of(tie, tie + 1n, -tie - 1n);
    const up = 2 ** 60 + 2 ** 37;
    expect([...toFloat32(bytesOf(values), "I64")]).toEqual([2 ** 60, up, -up]);
  });

  it("says what is wrong", () => {
    const message = "toFloat32: expected whole F16 elements of 2 bytes, got 3 bytes";
    const error = expect.objectContaining({ name: "WeightError", message });
    expect(() => toFloat32(new Uint8Array(3), "F16")).toThrow(error);
    expect(() => toFloat32(new Uint8Array(3), "F8_E4M3")).toThrow(/F8_E4M3 is known but cannot be converted/);
  });
});

describe("fromFloat32", () => {
  it.each(["F64", "F32", "F16", "BF16"] as const)("inverts toFloat32 for %s", (dtype) => {
    const values = Float32Array.of(0, -0, 1, -2.5, 2 ** -14, Infinity, -Infinity, NaN);
    expect(toFloat32(fromFloat32(values, dtype), dtype)).toEqual(values);
  });

  it("refuses integers", () => {
    expect(() => fromFloat32(Float32Array.of(1), "I8")).toThrow(WeightError);
  });
});
