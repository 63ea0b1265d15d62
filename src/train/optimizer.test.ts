import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { testAdapters } from "../../test/harness/adapters.ts";
import { difference, expectClose } from "../../test/harness/close.ts";
import { goldenPath } from "../../test/harness/golden.ts";
import { makeParameter } from "../../test/harness/parameters.ts";
import { OptionError } from "../generate/errors.ts";
import { Gpu } from "../gpu/gpu.ts";
import { Parameter, type ParameterPart } from "../graph/tensor.ts";
import { Workspace } from "../graph/workspace.ts";
import { isMuonSlot } from "./muon.ts";
import { Optimizer } from "./optimizer.ts";
import { checkOptimizerOptions, type OptimizerOptions } from "./optimizer-options.ts";
import { type Slot, slotsOf } from "./slots.ts";

interface MuonGolden {
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly matrices: { shape: number[]; start: number[]; gradients: number[][]; end: number[]; m: number[] }[];
}

const golden = JSON.parse(readFileSync(goldenPath("training/muon/matrices.json"), "utf8")) as MuonGolden;
const rates = (rate: number) => ({ vision: rate, projector: rate, language: rate });

for (const found of await testAdapters()) {
  const gpu = await Gpu.open(found);
  afterAll(() => gpu.dispose());
  const read = async (buffer: GPUBuffer) => new Float32Array(await gpu.read(buffer, 0, buffer.size));

  describe(`AdamW on ${found.name}`, () => {
    it("weighs gradients with 1 - beta to f32's last places, though no beta is an f32", async () => {
      const gradient = Float32Array.of(0.3, -2, 1e-3, 7);
      const parameter = await makeParameter(gpu, "language.test.weight", [gradient.length], new Float32Array(gradient.length));
      const slots = slotsOf(parameter, (name) => name);
      const workspace = new Workspace(gpu);
      const optimizer = await Optimizer.create(gpu, workspace, slots, { betas: [0.9, 0.999] }, 0);
      gpu.write(optimizer.gradient(parameter).buffer, 0, gradient);
      await optimizer.step(slots, rates(1e-3));

      const { m, v } = optimizer.moments(parameter);
      const [first, second] = [await read(m.buffer), await read(v!.buffer)];
      const places = 4 * 2 ** -23;
      gradient.forEach((g, i) => {
        expect(Math.abs(first[i]! / ((1 - 0.9) * g) - 1)).toBeLessThan(places);
        expect(Math.abs(second[i]! / ((1 - 0.999) * g * g) - 1)).toBeLessThan(places);
      });
      await optimizer.dispose();
      workspace.dispose();
      for (const { buffer } of parameter.blocks) gpu.free(buffer);
    });
  });

  describe(`Muon on ${found.name}`, () => {
    /** A parameter that stacks parts, with an optimizer of all of them. */
    async function stack(parts: ParameterPart[], values: Float32Array, options: OptimizerOptions, maxNorm = 0) {
      const before = gpu.allocated;
      const { shape } = parts[0]!;
      const rows = parts.reduce((sum, part) => sum + part.shape[0]!, 0);
      const whole = await makeParameter(gpu, "stack", [rows, ...shape.slice(1)], values);
      const parameter = new Parameter("stack", whole.shape, whole.kind, parts);
      parameter.blocks = whole.blocks;
      const slots = slotsOf(parameter, (name) => name);
      const workspace = new Workspace(gpu);
      const optimizer = await Optimizer.create(gpu, workspace, slots, options, maxNorm);
      const dispose = async () => {
        await optimizer.dispose();
        workspace.dispose();
        gpu.free(parameter.block.buffer);
        expect(gpu.allocated).toBe(before);
      };
      const { m, v } = optimizer.moments(parameter);
      return { parameter, slots, optimizer, m, v, gradient: optimizer.gradient(parameter).buffer, value: parameter.block.buffer, dispose };
    }
    const layer = (name: string, shape: number[]): ParameterPart => ({ name: `vision.layers.0.${name}.weight`, shape });

    for (const { shape, start, gradients, end, m } of golden.matrices) {
      it(`three steps of a matrix of shape [${shape.join(", ")}] are PyTorch's`, async () => {
        const one = await stack([layer("mlp.up", shape)], Float32Array.from(start), { kind: "muon", weightDecay: golden.weightDecay });
        for (const gradient of gradients) {
          gpu.write(one.gradient, 0, Float32Array.from(gradient));
          await one.optimizer.step(one.slots, rates(golden.learningRate));
        }
        expectClose((await read(one.value)).subarray(0, start.length), end, 5e-7, "values");
        expectClose((await read(one.m.buffer)).subarray(0, start.length), m, 5e-7, "momentum");
        expect(one.v).toBeUndefined();
        await one.dispose();
      });
    }

    it("the tensors of a stack are stepped apart; one without a gradient is left alone, decay and momentum too", async () => {
      const [query, key, value] = golden.matrices.filter(({ shape }) => shape.join() === "8,8").flatMap((one) => [one, one, one]);
      const parts = ["attention.query", "attention.key", "attention.value"].map((name) => layer(name, [8, 8]));
      const start = Float32Array.from([...query!.start, ...key!.start, ...value!.start]);
      const all = await stack(parts, start, { kind: "muon", weightDecay: golden.weightDecay });
      for (let step = 0; step < 3; step++) {
        gpu.write(all.gradient, 0, Float32Array.from([...query!.gradients[step]!, ...key!.gradients[step]!, ...value!.gradients[step]!]));
        await all.optimizer.step(all.slots.filter((_, i) => i !== 1), rates(golden.learningRate));
      }
      const [values, m] = [await read(all.value), await read(all.m.buffer)];
      expectClose(values.subarray(0, 64), query!.end, 5e-7, "query");
      expect(values.subarray(64, 128)).toEqual(start.subarray(64, 128));
      expectClose(values.subarray(128), value!.end, 5e-7, "value");
      expect(m.subarray(64, 128)).toEqual(new Float32Array(64));
      expect([...all.optimizer.counts.values()]).toEqual([3, 0, 3]);
      await all.dispose();
    });

    it("clips by the norm over all gradients before the momentum", async () => {
      const { shape, start, gradients } = golden.matrices[1]!;
      const one = await stack([layer("mlp.up", shape)], Float32Array.from(start), { kind: "muon", momentum: 0.5 }, 2);
      gpu.write(one.gradient, 0, Float32Array.from(gradients[0]!));
      const norm = await one.optimizer.step(one.slots, rates(0));
      expect(norm).toBeCloseTo(Math.hypot(...gradients[0]!), 5);
      expectClose(await read(one.m.buffer), gradients[0]!.map((g) => (0.5 * 2 * g) / norm), 1e-6, "momentum");
      expect(await read(one.value)).toEqual(Float32Array.from(start));
      await one.dispose();
    });

    it("makes matrices of any size orthogonal, but for singular values that are tiny beside the largest", async () => {
      for (const [rows, columns] of [[64, 64], [67, 131], [132, 36]] as const) {
        const count = rows * columns;
        const one = await stack([layer("mlp.up", [rows, columns])], new Float32Array(count), { kind: "muon" });
        gpu.write(one.gradient, 0, Float32Array.from({ length: count }, (_, i) => Math.sin(i * i) + (i % (columns + 1) === 0 ? 20 : 0)));
        await one.optimizer.step(one.slots, rates(1));
        const step = (await read(one.value)).map((value) => -value / (0.2 * Math.sqrt(Math.max(rows, columns))));
        // Of an orthogonal matrix the squares sum up to the smaller side.
        const mean = step.reduce((sum, value) => sum + value * value, 0) / Math.min(rows, columns);
        expect(mean).toBeGreaterThan(0.7 ** 2);
        expect(mean).toBeLessThan(1.2 ** 2);
        await one.dispose();
      }
    });

    it("everything else takes AdamW's steps at its own rate, and keeps both moments", async () => {
      const [start, gradient] = [Float32Array.of(1, 2, 3, 4), Float32Array.of(0.1, -3, 2e-3, 5)];
      const parts = [{ name: "language.embedding.weight", shape: [2, 2] }];
      const moved = async (options: OptimizerOptions, rate: number) => {
        const { optimizer, slots, gradient: buffer, value, m, v, dispose } = await stack(parts, start, options);
        gpu.write(buffer, 0, gradient);
        await optimizer.step(slots, rates(rate));
        const result = [await read(value), await read(m.buffer), await read(v!.buffer)] as const;
        await dispose();
        return result;
      };
      const plain = await moved({}, 0.01);
      expect(await moved({ kind: "muon", adamWRateFactor: 0.25 }, 0.04)).toEqual(plain);
      expect(difference(plain[0], start).share).toBeGreaterThan(1e-3);
    });

    it("counts one moment for Muon and two for AdamW, and the buffers of its program", async () => {
      const workspace = new Workspace(gpu);
      const shapes: [string, number[]][] = [["vision.layers.0.mlp.up.weight", [16, 8]], ["vision.layers.0.mlp.up.bias", [16]]];
      const parameters = await Promise.all(shapes.map(([name, shape]) => makeParameter(gpu, name, shape, new Float32Array(shape.reduce((a, b) => a * b)))));
      const slots = parameters.flatMap((parameter) => slotsOf(parameter, (name) => name));
      const before = gpu.allocated;
      const optimizer = await Optimizer.create(gpu, workspace, slots, { kind: "muon" }, 1);
      const { gradients, moments } = optimizer.bytes;
      expect(gradients).toBe(4 * (128 + 16));
      expect(moments).toBe(4 * (128 + 2 * 16) + 16);
      expect(gpu.allocated - before).toBe(gradients + moments);
      const { planned, held } = await optimizer.programBytes(slots);
      expect(held).toBe(0);
      await optimizer.step(slots, rates(0));
      expect(gpu.allocated - before).toBe(gradients + moments + planned.own + planned.arenas.reduce((sum, bytes) => sum + bytes, 0));
      expect((await optimizer.programBytes(slots)).held).toBe(planned.own);
      await optimizer.dispose();
      workspace.dispose();
      expect(gpu.allocated).toBe(before);
      for (const { block } of parameters) gpu.free(block.buffer);
    });
  });
}

describe("isMuonSlot", () => {
  it.each<[string, number[], boolean]>([
    ["vision.layers.3.attention.query.weight", [8, 8], true],
    ["vision.layers.3.mlp.down.weight", [8, 16], true],
    ["vision.layers.3.mlp.down.bias", [8], false],
    ["vision.layers.3.norm1.weight", [8], false],
    ["vision.patches.weight", [8, 3, 4, 4], false],
    ["vision.positions.weight", [9, 8], false],
    ["projector.linear1.weight", [8, 8], true],
    ["projector.norm.weight", [8], false],
    ["language.layers.11.mlp.gate.weight", [16, 8], true],
    ["language.layers.11.attention.query.loraA.weight", [2, 8], false],
    ["language.layers.11.attention.query.loraB.weight", [8, 2], false],
    ["language.embedding.weight", [99, 8], false],
    ["language.head.weight", [99, 8], false],
    ["newline", [8], false],
    ["pretraining.heads.kind", [9, 8], false],
  ])("%s %j: %s", (name, shape, expected) => {
    expect(isMuonSlot({ name, shape } as unknown as Slot)).toBe(expected);
  });
});

describe("checkOptimizerOptions", () => {
  it.each<[unknown, RegExp]>([
    ["muon", /^optimizer: expected an object, got "muon"$/],
    [null, /^optimizer: expected an object, got null$/],
    [{ kind: "sgd" }, /^optimizer\.kind: expected "adamw" or "muon", got "sgd"$/],
    [{ beta: 0.9 }, /^optimizer: expected only kind, betas, .* got "beta"$/],
    [{ betas: [0.9] }, /^optimizer\.betas: expected two numbers from 0 to below 1/],
    [{ betas: [0.9, 1] }, /^optimizer\.betas: expected two numbers from 0 to below 1/],
    [{ eps: -1 }, /^optimizer\.eps: expected a number of at least 0, got -1$/],
    [{ weightDecay: NaN }, /^optimizer\.weightDecay: expected a number of at least 0, got NaN$/],
    [{ momentum: 0.9 }, /^optimizer\.momentum: expected nothing but with kind "muon", got 0\.9$/],
    [{ kind: "adamw", adamWRateFactor: 2 }, /^optimizer\.adamWRateFactor: expected nothing but with kind "muon", got 2$/],
    [{ kind: "muon", momentum: 1 }, /^optimizer\.momentum: expected a number from 0 to below 1, got 1$/],
    [{ kind: "muon", adamWRateFactor: -1 }, /^optimizer\.adamWRateFactor: expected a number of at least 0, got -1$/],
  ])("refuses %j", (options, message) => {
    expect(() => checkOptimizerOptions(options as OptimizerOptions)).toThrow(OptionError);
    expect(() => checkOptimizerOptions(options as OptimizerOptions)).toThrow(message);
  });

  it("takes what an optimizer can have", () => {
    for (const options of [{}, { kind: "adamw", betas: [0, 0.5], eps: 0 }, { kind: "muon", momentum: 0, adamWRateFactor: 0, weightDecay: 0.1 }] as const) {
      expect(() => checkOptimizerOptions(options)).not.toThrow();
    }
  });
});
