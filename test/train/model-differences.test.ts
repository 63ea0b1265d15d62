/** The gradient of a whole model's loss, by all its weights and the pixels, equals differences of the loss. */
import { describe, expect, it } from "vitest";
import { Random } from "../../kernels/random.ts";
import { Graph } from "../../src/graph/graph.ts";
import { Program } from "../../src/graph/program.ts";
import { type Parameter, Tensor } from "../../src/graph/tensor.ts";
import { Workspace } from "../../src/graph/workspace.ts";
import { layOutBatch } from "../../src/train/batch.ts";
import { gradients } from "../../src/train/gradients.ts";
import { traceLoss } from "../../src/train/loss.ts";
import { testAdapters } from "../harness/adapters.ts";
import { goldenPath } from "../harness/golden.ts";
import { loadParts } from "../harness/model.ts";
import { writeParameter } from "../harness/parameters.ts";
import { dot, moved, sizeOf, slope } from "../harness/slope.ts";
import { readBatch } from "../harness/training.ts";

/** Allowed error as a share of the length that the derivative has along a random direction. */
const LIMIT = 2e-4;
const DIRECTIONS = 3;

for (const found of await testAdapters()) {
  describe(`finite differences on ${found.name}`, () => {
    it("the loss of llava by all its weights and the pixels", async () => {
      const folder = goldenPath("training/model/llava");
      const { gpu, config, model, runtime, preparer } = await loadParts(folder, found);
      const batch = await readBatch(`${folder}/batch.safetensors`);
      const { imageSize } = config.vision!;
      const pictures = batch.pixelValues!.shape[0]!;
      const layouts = await Promise.all(Array.from({ length: pictures }, () => preparer.layout([imageSize, imageSize], 1)));
      const inputs = layOutBatch(batch, layouts, model.rowsPerTile, config.imageToken);
      await runtime.reserveTable(inputs.length);

      const graph = new Graph();
      const workspace = new Workspace(gpu);
      const { rows, weight } = traceLoss(graph, model, config, inputs, runtime.rotaryTable);
      const forward = await Program.compile(graph, workspace, { outputs: { rows } });
      const pixels = graph.inputs.get("pixels")!;
      const nameOf = (one: Parameter | Tensor) => (one instanceof Tensor ? "pixels" : one.path);
      const byWhat = gradients<Parameter | Tensor>(graph, rows, weight, new Set([...model.parameters.values(), pixels]));
      const outputs = Object.fromEntries([...byWhat].map(([one, gradient]) => [nameOf(one), gradient]));
      const backward = await Program.compile(graph, workspace, { outputs });

      const given = { ...inputs.values, weight: new Float32Array(rows.size).fill(1 / inputs.learning) };
      backward.run(given);
      const learning: { one: Parameter | Tensor; values: Float32Array; gradient: Float32Array }[] = [];
      for (const one of byWhat.keys()) {
        const stored = one instanceof Tensor ? inputs.values.pixels! : await gpu.read(one.block.buffer, 0, sizeOf(one.shape) * 4);
        const { data } = await backward.read(nameOf(one));
        learning.push({ one, values: new Float32Array(stored), gradient: data as Float32Array });
      }
      const loss = async (changedPixels: Float32Array): Promise<number> => {
        forward.run({ ...given, pixels: changedPixels });
        return dot((await forward.read("rows")).data, new Float32Array(rows.size).fill(1));
      };

      const random = new Random(2026);
      for (let i = 0; i < DIRECTIONS; i++) {
        // Every tensor moves in proportion to the size of its values.
        const moves = learning.map((tensor) => {
          const size = Math.sqrt(dot(tensor.values, tensor.values) / tensor.values.length);
          return { ...tensor, size, direction: random.normal(tensor.values.length, 0, size) };
        });
        const expected = moves.reduce((sum, { gradient, direction }) => sum + dot(gradient, direction), 0);
        const length = Math.sqrt(moves.reduce((sum, { gradient, size }) => sum + size ** 2 * dot(gradient, gradient), 0));
        const difference = await slope(1 / 128, async (at) => {
          let changedPixels!: Float32Array;
          for (const { one, values, direction } of moves) {
            if (one instanceof Tensor) changedPixels = moved(values, direction, at);
            else writeParameter(gpu, one, moved(values, direction, at));
          }
          return loss(changedPixels);
        });
        expect(Math.abs(difference - expected) / length, `direction ${i}`).toBeLessThan(LIMIT);
      }
      forward.dispose();
      backward.dispose();
      workspace.dispose();
      await runtime.dispose();
      gpu.dispose();
    });
  });
}
