import { describe, expect, it } from "vitest";
import type { AdapterTraits } from "../kernel.ts";
import { chooseMatmul, chooseMatmulNN, chooseMatmulTN } from "./choose.ts";

const traits = (software: boolean, subgroup: number): AdapterTraits => ({
  features: new Set(subgroup > 0 ? ["subgroups"] : []),
  subgroupSize: { min: subgroup, max: subgroup },
  software,
  maxInvocations: 256,
  maxWorkgroupMemory: 16384,
});
const shape = (rows: number, inner = 64, xStride = inner) =>
  ({ rows, columns: 96, inner, xStride, yStride: 96, yOffset: 0, biased: 0 });

const adapters = [
  ["GPU", traits(false, 32)],
  ["GPU without subgroups", traits(false, 0)],
  ["lavapipe", traits(true, 8)],
  ["SwiftShader", traits(true, 4)],
  ["software without subgroups", traits(true, 0)],
] as const;

describe("chooseMatmul", () => {
  it.each([
    [1, ["matvec-subgroup", "matvec", "matvec-subgroup", "matvec-subgroup", "matvec"]],
    [3, ["matvec-subgroup", "matvec", "matvec-subgroup", "matvec-subgroup", "matvec"]],
    [4, ["matvec-subgroup", "matvec", "matmul-nt-subgroup", "matmul-nt-quad", "matmul-nt-tile"]],
    [8, ["matvec-subgroup", "matvec", "matmul-nt-subgroup", "matmul-nt-quad", "matmul-nt-tile"]],
    [9, ["matmul-nt-wide", "matmul-nt-wide", "matmul-nt-subgroup", "matmul-nt-quad", "matmul-nt-tile"]],
    [577, ["matmul-nt-wide", "matmul-nt-wide", "matmul-nt-subgroup", "matmul-nt-quad", "matmul-nt-tile"]],
  ])("%i rows", (rows, names) => {
    expect(adapters.map(([, adapter]) => chooseMatmul(shape(rows), adapter).name)).toEqual(names);
  });

  it.each(adapters)("falls back to the baseline for rows that are not aligned: %s", (_, adapter) => {
    for (const rows of [1, 8, 577]) {
      expect(chooseMatmul(shape(rows, 63), adapter).name).toBe("matmul-nt-tile");
      expect(chooseMatmul(shape(rows, 64, 65), adapter).name).toBe("matmul-nt-tile");
    }
  });

  it("chooses only what the adapter can run and what accepts the parameters", () => {
    for (const [, adapter] of adapters) {
      for (const rows of [1, 2, 3, 4, 8, 9, 16, 577]) {
        for (const inner of [1, 4, 62, 64, 588]) {
          const kernel = chooseMatmul(shape(rows, inner), adapter);
          expect(kernel.needs.every((feature) => adapter.features.has(feature))).toBe(true);
          expect(kernel.accepts?.(shape(rows, inner), adapter) ?? true).toBe(true);
        }
      }
    }
  });
});

describe("chooseMatmulNN", () => {
  const params = (inner: number) =>
    ({ rows: 9, columns: 96, inner, xStride: 96, xOffset: 0, yStride: 96, accumulate: 0 });

  it.each([
    [64, ["matmul-nn-wide", "matmul-nn-wide", "matmul-nn-subgroup", "matmul-nn-subgroup", "matmul-nn-tile"]],
    [63, ["matmul-nn-tile", "matmul-nn-tile", "matmul-nn-tile", "matmul-nn-tile", "matmul-nn-tile"]],
  ])("%i inner elements", (inner, names) => {
    expect(adapters.map(([, adapter]) => chooseMatmulNN(params(inner), adapter).name)).toEqual(names);
  });
});

describe("chooseMatmulTN", () => {
  const params = (columns: number) =>
    ({ rows: 9, columns, width: 96, xStride: 96, xOffset: 0, zStride: 96, yStride: 96, yRow: 0, accumulate: 0 });

  it.each([
    [64, ["matmul-tn-wide", "matmul-tn-wide", "matmul-tn-subgroup", "matmul-tn-subgroup", "matmul-tn-tile"]],
    [63, ["matmul-tn-tile", "matmul-tn-tile", "matmul-tn-tile", "matmul-tn-tile", "matmul-tn-tile"]],
  ])("%i columns", (columns, names) => {
    expect(adapters.map(([, adapter]) => chooseMatmulTN(params(columns), adapter).name)).toEqual(names);
  });
});
