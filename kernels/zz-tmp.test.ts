import { it } from "vitest";
import * as kernels from "./index.ts";
import { Gpu } from "../src/gpu/gpu.ts";
import { testAdapters } from "../test/harness/adapters.ts";
import { Random } from "./random.ts";
import { runKernel } from "../test/harness/run-kernel.ts";
const r = new Random(1);
const norm = { rows: 2048, width: 256, epsilon: 1e-5 };
const big = () => r.normal(2048*256);
const jobs: [string, any, any, any][] = [
  ["embeddingBackward", { rows: 2048, width: 64, first: 0, count: 49152, accumulate: 0 }, { ids: r.integers(2048, 49152), dy: r.normal(2048*64) }, { y: { length: 49152*64, type: "f32" } }],
  ["embeddingBackward", { rows: 2048, width: 256, first: 0, count: 4096, accumulate: 0 }, { ids: r.integers(2048, 4096), dy: r.normal(2048*256) }, { y: { length: 4096*256, type: "f32" } }],
  ["layerNorm", norm, { x: big(), weight: r.normal(256), bias: r.normal(256) }, { y: { length: 2048*256, type: "f32" } }],
  ["rmsNorm", norm, { x: big(), weight: r.normal(256) }, { y: { length: 2048*256, type: "f32" } }],
  ["layerNormBackward", norm, { x: big(), dy: big(), weight: r.normal(256) }, { dx: { length: 2048*256, type: "f32" } }],
  ["rmsNormBackward", norm, { x: big(), dy: big(), weight: r.normal(256) }, { dx: { length: 2048*256, type: "f32" } }],
  ["softmaxBackward", { rows: 2048, width: 512, scale: 1 }, { y: r.normal(2048*512), dy: r.normal(2048*512) }, { dx: { length: 2048*512, type: "f32" } }],
];
for (const found of await testAdapters()) {
  const gpu = await Gpu.open(found);
  it(found.name, async () => {
    for (const [name, params, inputs, outputs] of jobs) {
      const fam = (kernels as any)[name];
      for (const k of fam.variants) {
        if (k.accepts && !k.accepts(params, gpu.traits)) continue;
        await runKernel(gpu, fam, k, inputs, outputs, params);
        let best = 1e9;
        for (let i = 0; i < 6; i++) { const t = performance.now(); await runKernel(gpu, fam, k, inputs, outputs, params); best = Math.min(best, performance.now() - t); }
        console.log(found.name.slice(0,8), k.name, best.toFixed(1), "ms incl. transfers");
      }
    }
    await gpu.dispose();
  });
}
