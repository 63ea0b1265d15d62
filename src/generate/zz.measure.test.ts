import { it } from "vitest";
import { Random } from "../../kernels/random.ts";
import { topLogits } from "./logits.ts";
import { Sampler } from "./sampler.ts";
it("speed", () => {
  const v = 152064; const r = new Random(1);
  for (const scale of [2.5, 0.01]) {
  const logits = r.normal(v, 0, scale); for (let i=0;i<40;i++) if (scale>1) logits[r.integer(v)] = 12 + 2*r.uniform();
  const time = (name: string, f: () => void) => { f(); f(); const n = 10; const t = performance.now(); for (let i=0;i<n;i++) f(); console.log(scale, name, ((performance.now()-t)/n).toFixed(2), "ms"); };
  for (const o of [{}, {temperature:1}, {temperature:0.7}, {temperature:0.7, topK:50}, {temperature:.7,topK:1000}, {temperature:.7,topP:.9}, {temperature:1,topP:.95}, {temperature:.7,topK:50,topP:.9,minP:.05,repetitionPenalty:1.1}]) { const s = new Sampler({...o, seed: 1}); time(JSON.stringify(o), () => s.next(logits, [1,2,3])); }
  for (const n of [5, 1000, 20000]) time("top "+n, () => topLogits(logits, n));
  }
});
