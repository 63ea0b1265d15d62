import { describe, expect, it } from "vitest";
import { attentionLayout } from "../attention/attention.cases.ts";
import type { AdapterTraits } from "../kernel.ts";
import { chooseAttentionBackwardKV, chooseAttentionBackwardQ } from "./choose.ts";

const traits = (software: boolean, subgroup: number): AdapterTraits => ({
  features: new Set(subgroup > 0 ? ["subgroups"] : []),
  subgroupSize: { min: subgroup, max: subgroup },
  software,
  maxInvocations: 256,
  maxWorkgroupMemory: 16384,
});
const shape = (headSize: number, gap = 0) =>
  attentionLayout({ note: "", queries: 9, keys: 9, heads: 2, headSize, gap }).params;

describe("variants of attention's backward kernels", () => {
  it.each([
    ["GPU", traits(false, 32), false],
    ["GPU without subgroups", traits(false, 0), false],
    ["lavapipe", traits(true, 8), true],
    ["SwiftShader", traits(true, 4), true],
    ["software without subgroups", traits(true, 0), false],
  ] as const)("%s", (_, adapter, subgroup) => {
    const end = subgroup ? "-subgroup" : "";
    expect(chooseAttentionBackwardQ(shape(64), adapter).name).toBe(`attention-backward-q${end}`);
    expect(chooseAttentionBackwardKV(shape(64), adapter).name).toBe(`attention-backward-kv${end}`);
    for (const params of [shape(13), shape(64, 3)]) {
      expect(chooseAttentionBackwardQ(params, adapter).name).toBe("attention-backward-q");
      expect(chooseAttentionBackwardKV(params, adapter).name).toBe("attention-backward-kv");
    }
  });
});
