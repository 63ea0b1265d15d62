/** The gradient of every parameter of the tiny models equals PyTorch's (computed there in float64). */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Llava } from "../../src/index.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { testAdapters } from "../harness/adapters.ts";
import { goldenPath } from "../harness/golden.ts";
import { readBatch, readTensors } from "../harness/training.ts";

interface ModelGolden {
  readonly loss: number;
  readonly loss_tolerance: number;
  readonly without_gradient: string[];
  readonly stages: Record<string, { gradient_norm: number; parameters: string[] }>;
  readonly gradients: Record<string, { tolerance: number }>;
}

const golden = JSON.parse(readFileSync(goldenPath("training/model/model.json"), "utf8")) as { models: Record<string, ModelGolden> };

for (const found of await testAdapters()) {
  describe(`gradients on ${found.name}`, () => {
    for (const [name, want] of Object.entries(golden.models)) {
      it(name, async () => {
        const folder = goldenPath(`training/model/${name}`);
        const llava = await Llava.load(folder, { adapter: found.name });
        const trainer = await Trainer.create(llava, { trainable: ["vision", "projector", "language"], learningRate: 1e-3 });
        const { loss, gradients } = await trainer.gradients(await readBatch(`${folder}/batch.safetensors`));
        expect(Math.abs(loss - want.loss)).toBeLessThanOrEqual(5 * want.loss_tolerance);

        const tensors = await readTensors(`${folder}/gradients.safetensors`);
        expect(Object.keys(gradients).toSorted()).toEqual([...tensors.keys()].toSorted());
        const worst = { name: "", share: 0 };
        for (const [tensor, { data }] of tensors) {
          const { tolerance } = want.gradients[tensor]!;
          const got = gradients[tensor]!.data;
          let off = 0;
          for (let i = 0; i < data.length; i++) off = Math.max(off, Math.abs(got[i]! - data[i]!));
          if (off / tolerance > worst.share) Object.assign(worst, { name: tensor, share: off / tolerance });
        }
        expect(worst.share, `${worst.name}: multiples of its tolerance`).toBeLessThanOrEqual(5);

        const norm = Math.sqrt(Object.values(gradients).reduce((sum, { data }) => sum + data.reduce((s, x) => s + x * x, 0), 0));
        expect(norm / want.stages.full!.gradient_norm).toBeCloseTo(1, 4);
        await trainer.dispose();
        await llava.dispose();
      });
    }
  });
}
