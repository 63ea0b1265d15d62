/** Which operations recomputation adds, and what it saves. No GPU; that gradients stay the same is checked in test/train. */
import { describe, expect, it } from "vitest";
import { Graph } from "../graph/graph.ts";
import { plan } from "../graph/plan.ts";
import { isTensor, type Parameter, type Resident, Scalar, type Tensor } from "../graph/tensor.ts";
import { parseConfig } from "../models/config.ts";
import { llava } from "../models/llava.ts";
import { activation, add, addInto, dropout } from "../ops/index.ts";
import { gradients } from "./gradients.ts";
import { traceLoss } from "./loss.ts";
import { recomputeLayers } from "./recompute.ts";

/** silu(dropout(gelu(x))), twice, and its gradient. */
function twoLayers() {
  const graph = new Graph();
  graph.dropoutSeed = new Scalar("dropout", 9);
  const x = graph.input("x", [2, 3]);
  const layer = (path: string, value: Tensor) =>
    graph.within(path, () => activation(graph.view(dropout(graph.view(activation(value, "gelu"), [6]), 0.5), [2, 3]), "silu"));
  const loss = layer("a.layers.1", layer("a.layers.0", x));
  const forward = graph.nodes.length;
  const gradient = gradients(graph, loss, graph.input("upstream", [2, 3]), new Set([x])).get(x)!;
  return { graph, forward, gradient };
}

const resident = (label: string, shape: readonly number[]): Resident => ({ label, shape, type: "f32", buffer: undefined as never });

/** Bytes of the arenas of a training step of a decoder, whose every weight learns. */
function arenaBytes(layers: number, recompute: boolean): number {
  const sizes = { hidden_size: 64, intermediate_size: 160, num_attention_heads: 2, vocab_size: 100, max_position_embeddings: 256 };
  const config = parseConfig({ model_type: "llama", ...sizes, num_hidden_layers: layers });
  const model = llava(config);
  for (const parameter of model.parameters.values()) parameter.blocks = [{ ...resident(parameter.path, parameter.shape), firstRow: 0 }];
  const graph = new Graph();
  const inputs = { samples: 2, length: 128, tiles: 0, rows: 0, learning: 256, learners: [], headRows: 256, values: {}, taps: { pack: 1, unpack: 1, newlines: 0 } };
  const { rows, weight } = traceLoss(graph, model, config, inputs, resident("rotary", [256, 32]));
  const forward = graph.nodes.length;
  gradients(graph, rows, weight, new Set<Parameter>(model.parameters.values()), ({ path }, gradient) => {
    addInto(gradient, resident(path, [gradient.rows, gradient.width]), { rows: gradient.rows, width: gradient.width });
  });
  if (recompute) recomputeLayers(graph, forward);
  return plan(graph, [rows], Infinity).arenas.reduce((sum, bytes) => sum + bytes, 0);
}

describe("recomputeLayers", () => {
  it("computes the inside of a layer again just before it is read, and nothing else", () => {
    const { graph, forward, gradient } = twoLayers();
    recomputeLayers(graph, forward);
    expect(plan(graph, [gradient], Infinity).nodes.map(({ path, op }) => `${path} ${op}`)).toEqual([
      ...["gelu", "dropout", "silu"].map((op) => `a.layers.0 ${op}`),
      ...[1, 0].flatMap((i) => [
        ...["gelu", "dropout"].map((op) => `a.layers.${i} (again) ${op}`),
        ...["siluBackward", "dropout", "geluBackward"].map((op) => `a.layers.${i} (backward) ${op}`),
      ]),
    ]);
  });

  it("draws the dropout of the forward operations again", () => {
    const { graph, forward } = twoLayers();
    recomputeLayers(graph, forward);
    const seeds = (layer: string) => graph.nodes.filter(({ op, path }) => op === "dropout" && path.startsWith(layer)).map(({ calls }) => calls[0]!.params.seed);
    for (const layer of ["a.layers.0", "a.layers.1"]) {
      const [first, ...others] = seeds(layer);
      expect(others).toEqual([first, first]);
    }
    expect(seeds("a.layers.0")).not.toEqual(seeds("a.layers.1"));
  });

  it("leaves nothing of the inside of layers for the backward operations to read", () => {
    const { graph, forward } = twoLayers();
    const written = new Map(graph.nodes.slice(0, forward).flatMap(({ op, path, outputs }) => outputs.map(({ root }) => [root, `${path} ${op}`] as const)));
    recomputeLayers(graph, forward);
    const read = graph.nodes.slice(forward).flatMap(({ calls }) => calls).flatMap((call) => Object.values(call.read)).filter(isTensor);
    expect(new Set(read.flatMap(({ root }) => written.get(root) ?? []))).toEqual(new Set(["a.layers.0 silu"]));
  });

  it("changes nothing where nothing lies in a layer", () => {
    const graph = new Graph();
    const x = graph.input("x", [2]);
    const loss = graph.within("layers", () => add(activation(activation(x, "silu"), "gelu"), x));
    const forward = graph.nodes.length;
    gradients(graph, loss, graph.input("upstream", [2]), new Set([x]));
    const before = graph.nodes.map(({ op }) => op);
    recomputeLayers(graph, forward);
    expect(graph.nodes.map(({ op }) => op)).toEqual(before);
  });

  it("makes a further layer cost no more than its input", () => {
    const input = 2 * 128 * 64 * 4;
    for (const layers of [4, 8]) expect(arenaBytes(layers + 1, true) - arenaBytes(layers, true)).toBe(input);
    expect(arenaBytes(9, false) - arenaBytes(8, false)).toBeGreaterThan(10 * input);
    expect(arenaBytes(8, true)).toBeLessThan(arenaBytes(8, false) / 3);
  });
});
