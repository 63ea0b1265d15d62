import { describe, expect, it } from "vitest";
import type { AdapterTraits } from "../kernel.ts";
import { attentionLayout } from "./attention.cases.ts";
import { chooseAttention } from "./choose.ts";

const traits = (software: boolean, subgroup: number): AdapterTraits => ({
  features: new Set(subgroup > 0 ? ["subgroups"] : []),
  subgroupSize: { min: subgroup, max: subgroup },
  software,
  maxInvocations: 256,
  maxWorkgroupMemory: 16384,
});
const shape = (queries: number, headSize = 64, gap = 0) =>
  attentionLayout({ note: "", queries, keys: 600, heads: 2, headSize, gap, position: 600 - queries }).params;

const adapters = [
  ["GPU", traits(false, 32)],
  ["GPU without subgroups", traits(false, 0)],
  ["lavapipe", traits(true, 8)],
  ["SwiftShader", traits(true, 4)],
  ["software without subgroups", traits(true, 0)],
] as const;

describe("chooseAttention", () => {
  const subgroup = "attention-flash-subgroup";
  const single = "attention-decode-subgroup";
  it.each([
    [1, ["attention-decode", "attention-decode", single, single, "attention-decode"]],
    [2, ["attention-decode", "attention-decode", subgroup, subgroup, "attention-decode"]],
    [4, ["attention-decode", "attention-decode", subgroup, subgroup, "attention-decode"]],
    [5, ["attention-flash", "attention-flash", subgroup, subgroup, "attention-flash"]],
    [577, ["attention-flash", "attention-flash", subgroup, subgroup, "attention-flash"]],
  ])("%i queries", (queries, names) => {
    expect(adapters.map(([, adapter]) => chooseAttention(shape(queries), adapter).name)).toEqual(names);
  });

  it.each(adapters)("takes no groups of unequal size for one query: %s", (_, adapter) => {
    expect(chooseAttention({ ...shape(1), heads: 3, kvHeads: 2 }, adapter).name).toBe("attention-decode");
  });

  it.each(adapters)("falls back to the baseline for heads that are not aligned: %s", (_, adapter) => {
    for (const queries of [1, 4, 577]) {
      expect(chooseAttention(shape(queries, 13), adapter).name).toBe("attention-flash");
      expect(chooseAttention(shape(queries, 64, 3), adapter).name).toBe("attention-flash");
    }
  });
});
