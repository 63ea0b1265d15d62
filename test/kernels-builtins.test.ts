/**
 * What WGSL's built-in functions promise and what the adapters give. It is why the kernels take no sine or cosine (tables
 * are made on the host), no tanh (a sigmoid does) and no rounding of pack2x16float (done on the bits).
 */
import { afterAll, describe, expect, it } from "vitest";
import { family, type HostArray, kernel } from "../kernels/kernel.ts";
import { Gpu } from "../src/gpu/gpu.ts";
import { testAdapters } from "./harness/adapters.ts";
import { runKernel } from "./harness/run-kernel.ts";

/** The value of a WGSL expression in `v` at every x. */
async function evaluate(gpu: Gpu, expression: string, type: "f32" | "u32", x: Float32Array): Promise<HostArray> {
  const code = `
    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> y: array<${type}>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < arrayLength(&x)) {
        let v = x[id.x];
        y[id.x] = ${expression};
      }
    }`;
  const groups = () => Math.ceil(x.length / 64);
  const record = kernel({ name: expression, code, read: ["x"], write: ["y"], params: [], needs: [], groups });
  const records = family({
    name: expression,
    variants: [record],
    reference: () => ({ y: x }),
    cost: () => ({ flops: 0, bytes: 0 }),
  });
  return (await runKernel(gpu, records, record, { x }, { y: { length: x.length, type } }, {}))["y"]!;
}

/** `count` numbers from `first` to `last`. A multiple of 4 fills the buffer, so that arrayLength is `count`. */
function range(first: number, last: number, count = 4000): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => first + ((last - first) * i) / (count - 1));
}

/** The distance of neighbouring f32 numbers at a value. */
const unit = (value: number) => 2 ** (Math.floor(Math.log2(Math.abs(value))) - 23);

for (const found of await testAdapters()) {
  const gpu = await Gpu.open(found);
  afterAll(() => gpu.dispose());
  const swiftShader = found.name.includes("SwiftShader");

  describe(`WGSL built-ins on ${found.name}`, () => {
    it("exp is within the (3 + 2 |x|) units in the last place that WGSL allows, and not within one", async () => {
      const x = range(-20, 20);
      const y = await evaluate(gpu, "exp(v)", "f32", x);
      const units = Array.from(x, (value, i) => Math.abs(y[i]! - Math.exp(value)) / unit(Math.exp(value)));
      expect(Math.max(...units.map((count, i) => count / (3 + 2 * Math.abs(x[i]!))))).toBeLessThanOrEqual(1);
      if (swiftShader) expect(Math.max(...units)).toBeGreaterThan(4);
    });

    it("cos is within 2^-11 between -π and π, far from the 2^-24 that rotary embeddings deserve", async () => {
      const x = range(-Math.PI, Math.PI);
      const y = await evaluate(gpu, "cos(v)", "f32", x);
      const worst = Math.max(...Array.from(x, (value, i) => Math.abs(y[i]! - Math.cos(value))));
      expect(worst).toBeLessThanOrEqual(2 ** -11);
      if (swiftShader) expect(worst).toBeGreaterThan(1e-4);
    });

    it("tanh is right near zero and need not be a number at 100", async () => {
      const y = await evaluate(gpu, "tanh(v)", "f32", Float32Array.of(0.5, 5, 20, 100));
      expect(y[0]).toBeCloseTo(Math.tanh(0.5), 5);
      expect(y[1]).toBeCloseTo(Math.tanh(5), 5);
      if (swiftShader) expect(y[3]).toBeNaN();
    });

    it("pack2x16float agrees below 65,504 and is indeterminate beyond", async () => {
      const y = await evaluate(gpu, "pack2x16float(vec2f(v, 0.0))", "u32", Float32Array.of(1, 65504, -2, 70000));
      expect(Array.from(y).slice(0, 3)).toEqual([0x3c00, 0x7bff, 0xc000]);
      if (swiftShader) expect(y[3]).not.toBe(0x7c00);
    });
  });
}
