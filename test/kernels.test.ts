import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { allCases } from "../kernels/all-cases.ts";
import * as kernels from "../kernels/index.ts";
import { type Family, type HostArray, type Kernel, paramFields, storageBindings, type WeightType } from "../kernels/kernel.ts";
import { Random } from "../kernels/random.ts";
import { Gpu } from "../src/gpu/gpu.ts";
import { toFloat32 } from "../weights/dtype.ts";
import { testAdapters } from "./harness/adapters.ts";
import { expectClose, tolerance } from "./harness/close.ts";
import { packWeight, runKernel } from "./harness/run-kernel.ts";

const families = Object.values(kernels as Record<string, unknown>).filter(
  (value): value is Family => typeof value === "object" && value !== null && "variants" in value,
);
const only = process.env.LLAVA_TEST_KERNEL;
const long = process.env.LLAVA_TEST_LONG === "1";

describe("kernel records", () => {
  for (const family of families) {
    it(`${family.name}: cases, a variant for every adapter, records that agree with the WGSL`, () => {
      expect(allCases[family.name]?.length ?? 0).toBeGreaterThanOrEqual(3);
      const baseline = family.variants[0]!;
      expect(baseline.needs).toEqual([]);
      expect(baseline.accepts).toBeUndefined();
      for (const kernel of family.variants) {
        const bindings = storageBindings(kernel.code);
        expect(bindings.map(({ name }) => name)).toEqual([...kernel.read, ...kernel.write]);
        expect(bindings.map(({ binding }) => binding)).toEqual(bindings.map((_, i) => i));
        expect(bindings.filter(({ access }) => access === "read").map(({ name }) => name)).toEqual(kernel.read);
        expect(paramFields(kernel.code).map(({ name }) => name)).toEqual(kernel.params);
      }
    });
  }

  it("every WGSL file belongs to a family", () => {
    const root = new URL("../kernels/", import.meta.url);
    const used = new Set(families.flatMap((family) => family.variants.map(({ code }) => code)));
    for (const folder of readdirSync(root, { withFileTypes: true })) {
      if (!folder.isDirectory() || folder.name === "common") continue;
      const path = new URL(`${folder.name}/`, root);
      if (!existsSync(path)) continue;
      for (const file of readdirSync(path).filter((name) => name.endsWith(".wgsl"))) {
        expect(used.has(readFileSync(new URL(file, path), "utf8")), `${folder.name}/${file}`).toBe(true);
      }
    }
  });
});

for (const found of await testAdapters()) {
  const gpu = await Gpu.open(found);
  afterAll(() => gpu.dispose());

  describe(`kernels on ${found.name}`, () => {
    for (const family of families.filter(({ name }) => !only || name.includes(only))) {
      for (const kernel of family.variants.filter(({ needs }) => needs.every((feature) => gpu.traits.features.has(feature)))) {
        const types: WeightType[] = family.weight ? ["f32", "f16", "bf16"] : ["f32"];
        for (const type of types) {
          for (const example of allCases[family.name] ?? []) {
            if ((example.long && !long) || kernel.accepts?.(example.params, gpu.traits) === false) continue;
            const label = `${kernel.name} ${family.weight ? `${type} ` : ""}${example.name}`;
            it(label, () => check(gpu, family, kernel, example, type, label));
          }
        }
      }
    }
  });
}

type Example = (typeof allCases)[string][number];

/** Long cases with their reference results, which take seconds each: shared by all variants and adapters. */
const solved = new Map<string, ReturnType<typeof solve>>();

/** The inputs of a case, the weight rounded to its type, and what the reference makes of them. */
function solve(family: Family, example: Example, type: WeightType) {
  const inputs: Record<string, HostArray> = { ...example.inputs(new Random(7)) };
  if (family.weight && type !== "f32") {
    const packed = packWeight(inputs[family.weight] as Float32Array, type);
    inputs[family.weight] = toFloat32(packed, type === "f16" ? "F16" : "BF16");
  }
  return { inputs, want: family.reference(inputs, example.params) };
}

async function check(gpu: Gpu, family: Family, kernel: Kernel, example: Example, type: WeightType, label: string) {
  const key = `${family.name} ${type} ${example.name}`;
  const { inputs, want } = solved.get(key) ?? solve(family, example, type);
  if (example.long) solved.set(key, { inputs, want });
  const outputs = Object.fromEntries(
    Object.entries(want).map(([name, value]) => [name, { length: value.length, type: value instanceof Float32Array ? ("f32" as const) : ("u32" as const) }]),
  );
  const got = await runKernel(gpu, family, kernel, inputs, outputs, example.params, type);
  for (const name of kernel.write) {
    if (want[name] instanceof Uint32Array) expect(Array.from(got[name]!)).toEqual(Array.from(want[name]!));
    else expectClose(got[name]!, want[name]!, tolerance(example.reduction, example.builtins), `${label} ${name}`);
  }
}
