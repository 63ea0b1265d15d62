import { describe, expect, it } from "vitest";
import { add } from "../ops/index.ts";
import { Graph } from "./graph.ts";
import { Parameter, Scalar, ShapeError, shapeText } from "./tensor.ts";

describe("Graph", () => {
  it("records operations under the path of their block", () => {
    const graph = new Graph();
    const x = graph.input("x", [2, 3]);
    graph.within("language", () => graph.within("language.layers.0", () => add(x, x)));
    add(x, x);
    expect(graph.nodes.map(({ op, path }) => [op, path])).toEqual([["add", "language.layers.0"], ["add", ""]]);
  });

  it("leaves a block also when tracing fails", () => {
    const graph = new Graph();
    expect(() => graph.within("language", () => { throw new ShapeError("no"); })).toThrow("no");
    add(graph.input("x", [1]), graph.input("y", [1]));
    expect(graph.nodes[0]!.path).toBe("");
  });

  it("names an input and a value once", () => {
    const graph = new Graph();
    const x = graph.input("x", [4]);
    expect(() => graph.input("x", [4])).toThrow(ShapeError);
    expect(graph.name("norm", x)).toBe(x);
    expect(graph.values.get("norm")).toBe(x);
    expect(() => graph.name("norm", x)).toThrow("the value norm is already named in this graph");
  });

  it("puts an intervention's result in a value's place", () => {
    const graph = new Graph(new Map([["norm", (value) => add(value, value)]]));
    const x = graph.input("x", [4]);
    const changed = graph.name("norm", x);
    expect(changed).toBe(graph.nodes[0]!.outputs[0]);
    expect(graph.values.get("norm")).toBe(changed);
  });

  it("refuses an intervention that changes the shape", () => {
    const graph = new Graph(new Map([["norm", (value) => value.graph.value([value.size + 1])]]));
    const x = graph.input("x", [4]);
    expect(() => graph.name("norm", x)).toThrow("intervention on norm: expected shape [4], got [5]");
  });

  it("gives views only of as many elements", () => {
    const graph = new Graph();
    const x = graph.input("x", [4, 6]);
    const view = graph.view(graph.view(x, [24]), [2, 12]);
    expect([view.root, view.rows, view.width]).toEqual([x, 2, 12]);
    expect(() => graph.view(x, [5, 5])).toThrow(ShapeError);
  });
});

describe("Tensor, Scalar and Parameter", () => {
  it("know their sizes", () => {
    const x = new Graph().input("x", [2, 3, 5]);
    expect([x.size, x.width, x.rows]).toEqual([30, 5, 6]);
    expect(shapeText(x.shape)).toBe("[2, 3, 5]");
    const { maximum, offset } = new Scalar("position", 100).plus(3).plus(4);
    expect([maximum, offset]).toEqual([100, 7]);
  });

  it("give no block before the weights are loaded", () => {
    const weight = new Parameter("norm.weight", [4], "vector", []);
    expect(() => weight.block).toThrow("norm.weight: expected one resident block, got 0; load the weights first");
  });
});
