/** Where gradients are computed and added; that their values are right is checked in test/train. No GPU. */
import { describe, expect, it } from "vitest";
import { Graph } from "../graph/graph.ts";
import { Parameter, type Resident, type Tensor } from "../graph/tensor.ts";
import { dropFirst, linear } from "../ops/index.ts";
import { addGradients } from "./gradient-sums.ts";
import { slotsOf } from "./slots.ts";

const buffer = {} as GPUBuffer;

function parameter(path: string, shape: readonly number[]): Parameter {
  const made = new Parameter(path, shape, shape.length === 1 ? "vector" : "matrix", [{ name: path, shape }]);
  made.blocks = [{ label: path, shape, type: "f32", buffer, firstRow: 0 }];
  return made;
}

/** Traces the gradients of what `forward` gives. Returns what was traced for them, and the sums of all parameters. */
function traced(parameters: readonly Parameter[], forward: (graph: Graph) => Tensor) {
  const graph = new Graph();
  const loss = forward(graph);
  const from = graph.nodes.length;
  const sums = new Map(parameters.map(({ path, shape }) => [path, { label: path, shape, type: "f32", buffer } satisfies Resident]));
  const slots = parameters.flatMap((one) => slotsOf(one, (name) => name));
  const reached = addGradients(graph, loss, graph.input("upstream", loss.shape), { slots, gradient: ({ path }) => sums.get(path)! });
  return { nodes: graph.nodes.slice(from), sums, reached: reached.map(({ name }) => name) };
}

describe("addGradients", () => {
  it("computes gradients right in their sums where kernels can add", () => {
    const [weight, bias, other] = [parameter("weight", [4, 3]), parameter("bias", [4]), parameter("other", [4])];
    const { nodes, sums, reached } = traced([weight, bias, other], (graph) => linear(graph.input("x", [2, 3]), weight, bias));
    expect(reached).toEqual(["weight", "bias"]);
    expect(nodes.map(({ op, outputs }) => [op, outputs])).toEqual([["outerProducts", []], ["columnSums", []]]);
    const [products, columns] = nodes.map(({ calls }) => calls[0]!);
    expect(products!.write["y"]).toBe(sums.get("weight"));
    expect(columns!.write["y"]).toBe(sums.get("bias"));
    expect([products!.params["accumulate"], columns!.params["accumulate"]]).toEqual([1, 1]);
  });

  it("adds gradients that are read elsewhere, or summed first", () => {
    const weight = parameter("weight", [3, 3]);
    const { nodes, sums } = traced([weight], (graph) => linear(linear(graph.input("x", [2, 3]), weight), weight));
    expect(nodes.map(({ op }) => op)).toEqual(["linearBackwardX", "outerProducts", "outerProducts", "add", "addInto"]);
    expect(nodes.at(-1)!.calls[0]!.write["y"]).toBe(sums.get("weight"));
    expect(nodes.filter(({ op }) => op === "outerProducts").every(({ calls }) => calls[0]!.params["accumulate"] === 0)).toBe(true);
  });
});

describe("dropFirst", () => {
  it("takes as many dispatches for many sequences as for one", () => {
    const weight = parameter("weight", [4, 3]);
    const dispatches = [1, 64].map((batch) => {
      const { nodes } = traced([weight], (graph) => dropFirst(linear(graph.input("x", [batch, 5, 3]), weight), 1));
      return nodes.flatMap(({ op, calls }) => calls.map(({ family }) => `${op}: ${family.name}`));
    });
    expect(dispatches[1]).toEqual(["dropFirstBackward: fill", "dropFirstBackward: copy-rows", "outerProducts: matmul-tn"]);
    expect(dispatches[0]).toEqual(dispatches[1]);
  });
});
