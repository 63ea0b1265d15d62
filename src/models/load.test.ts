/** Tensors of a checkpoint as they arrive on the GPU: every type, kept, cast, stacked and split. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { blobSink, Checkpoint, type DType, fromFloat32, openFolder, toFloat32, WeightError, writeSafetensors } from "../../weights/index.ts";
import { chooseAdapter } from "../gpu/adapter.ts";
import { Gpu } from "../gpu/gpu.ts";
import type { Parameter } from "../graph/tensor.ts";
import { Scope } from "../nn/scope.ts";
import { freeWeights, type LoadOptions, loadWeights } from "./load.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.open(await chooseAdapter("swiftshader"));
});
afterAll(() => gpu.dispose());

type Given = Readonly<Record<string, { dtype: DType; shape: number[]; values: Float32Array }>>;

/** Numbers that every type holds exactly. */
function numbers(count: number, from = 0): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => (((from + i) * 7) % 63) - 31);
}

async function checkpointOf(given: Given): Promise<Checkpoint> {
  const sink = blobSink();
  const tensors = Object.entries(given).map(([name, { dtype, shape, values }]) => ({ name, dtype, shape, data: fromFloat32(values, dtype) }));
  await writeSafetensors(sink, tensors);
  return Checkpoint.open(await openFolder({ "model.safetensors": sink.blob() }), { rename: (name) => name });
}

/** The values of a parameter, read back from all its blocks. */
async function readBack({ blocks, shape }: Parameter): Promise<Float32Array> {
  const pieces: number[] = [];
  for (const block of blocks) {
    const size = block.shape.reduce((product, length) => product * length, 1);
    const bytes = new Uint8Array(await gpu.read(block.buffer)).subarray(0, size * (block.type === "f32" ? 4 : 2));
    pieces.push(...toFloat32(bytes, block.type.toUpperCase() as DType));
  }
  expect(pieces).toHaveLength(shape.reduce((product, length) => product * length, 1));
  return Float32Array.from(pieces);
}

async function load(scope: Scope, given: Given, options: LoadOptions = {}): Promise<void> {
  await loadWeights(scope.parameters, await checkpointOf(given), gpu, options);
}

describe("loadWeights", () => {
  const dtype = fc.constantFrom<DType>("F32", "F16", "BF16");

  it("brings matrices of every type and width, stacked and split, to the GPU", async () => {
    const before = gpu.allocated;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ rows: fc.integer({ min: 1, max: 9 }), dtype }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 19 }),
        fc.constantFrom("auto", "f32", "f16"),
        fc.integer({ min: 80, max: 600 }),
        async (parts, width, weights, maxBindingBytes) => {
          const scope = new Scope("");
          const names = parts.map((_, i) => `part${i}`);
          const parameter = scope.stack("all", parts.map(({ rows }, i) => ({ path: names[i]!, rows })), width);
          const given = Object.fromEntries(parts.map((part, i) => [names[i]!, { dtype: part.dtype, shape: [part.rows, width], values: numbers(part.rows * width, i) }]));
          const progress: number[] = [];
          await load(scope, given, { weights, maxBindingBytes, onProgress: (done, total) => progress.push(done / total) });

          const types = new Set(parts.map((part) => part.dtype.toLowerCase()));
          const type = weights !== "auto" ? weights : types.size === 1 ? [...types][0]! : "f32";
          const [rows, rowBytes] = [parameter.shape[0]!, width * (type === "f32" ? 4 : 2)];
          let first = 0;
          for (const block of parameter.blocks) {
            expect([block.type, block.firstRow]).toEqual([type, first]);
            expect(block.shape[0]! * rowBytes).toBeLessThanOrEqual(maxBindingBytes);
            first += block.shape[0]!;
          }
          expect(first).toBe(rows);
          expect(await readBack(parameter)).toEqual(Float32Array.from(names.flatMap((name) => [...given[name]!.values])));
          expect(progress).toEqual(progress.toSorted((a, b) => a - b));
          expect(progress.at(-1)).toBe(1);
          freeWeights(scope.parameters, gpu);
          expect(parameter.blocks).toEqual([]);
        },
      ),
      { numRuns: 60, seed: 3 },
    );
    expect(gpu.allocated).toBe(before);
  });

  it("keeps vectors in f32, whatever is asked, in one piece", async () => {
    const scope = new Scope("norm");
    const [weight, biases] = [scope.vector("weight", [7]), scope.stackVectors("bias", [{ path: "a", rows: 3 }, { path: "b", rows: 2 }])];
    const given: Given = {
      "norm.weight": { dtype: "BF16", shape: [7], values: numbers(7) },
      "norm.a": { dtype: "F16", shape: [3], values: numbers(3) },
      "norm.b": { dtype: "F32", shape: [2], values: numbers(2, 9) },
    };
    await load(scope, given, { weights: "f16" });
    expect([weight.block.type, biases.block.type]).toEqual(["f32", "f32"]);
    expect(await readBack(weight)).toEqual(numbers(7));
    expect(await readBack(biases)).toEqual(Float32Array.of(...numbers(3), ...numbers(2, 9)));
    freeWeights(scope.parameters, gpu);
  });

  it("reads a tensor of more than one piece", async () => {
    const scope = new Scope("");
    const table = scope.matrix("table", [5000, 500]);
    const values = numbers(2_500_000);
    await load(scope, { table: { dtype: "F32", shape: [5000, 500], values } });
    const back = new Float32Array(await gpu.read(table.block.buffer));
    expect(Buffer.compare(Buffer.from(back.buffer), Buffer.from(values.buffer))).toBe(0);
    freeWeights(scope.parameters, gpu);
  });

  it("takes a tensor of more axes where the model says so, and passes over what the model may not use", async () => {
    const scope = new Scope("vision");
    const patches = scope.matrix("patches", [4, 12], [4, 3, 2, 2]);
    await load(scope, {
      "vision.patches": { dtype: "F32", shape: [4, 3, 2, 2], values: numbers(48) },
      "vision.postNorm.weight": { dtype: "F32", shape: [2], values: numbers(2) },
    });
    expect(patches.block.shape).toEqual([4, 12]);
    expect(await readBack(patches)).toEqual(numbers(48));
    freeWeights(scope.parameters, gpu);
  });

  const one = (shape: number[], dtype: DType = "F32"): Given => ({ weight: { dtype, shape, values: numbers(shape.reduce((a, b) => a * b, 1)) } });
  const refused: [what: string, given: Given, options: LoadOptions, says: RegExp][] = [
    ["another shape", one([3, 4]), {}, /expected weight of shape \[4, 3\], got \[3, 4\]; check that config\.json belongs to these weights/],
    ["other axes", one([12]), {}, /expected weight of shape \[4, 3\], got \[12\]/],
    ["no tensor", {}, {}, /expected 1 tensors, lacks 1: weight; check/],
    ["one too many", { ...one([4, 3]), more: one([1])["weight"]! }, {}, /expected the 1 tensors of this model only, got 1 more: more/],
    ["a row beyond the binding limit", one([4, 3]), { maxBindingBytes: 8 }, /weight: a row of 12 bytes exceeds the adapter's binding limit of 8/],
  ];
  for (const [what, given, options, says] of refused) {
    it(`refuses ${what} before anything is allocated`, async () => {
      const before = gpu.allocated;
      const scope = new Scope("");
      scope.matrix("weight", [4, 3]);
      const error = await load(scope, given, options).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(WeightError);
      expect((error as Error).message).toMatch(says);
      expect(gpu.allocated).toBe(before);
    });
  }
});
