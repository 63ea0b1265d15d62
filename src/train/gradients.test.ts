/** What `gradients` traces and returns; that the values are right is checked in test/train. No GPU. */
import { describe, expect, it } from "vitest";
import { Graph } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import { activation, add, argmax, columnSums, mixRows } from "../ops/index.ts";
import { gradients } from "./gradients.ts";

const operations = (graph: Graph, from: number): string[] => graph.nodes.slice(from).map(({ op }) => op);

describe("gradients", () => {
  it("are traced only between the loss and what is wanted", () => {
    const graph = new Graph();
    const [x, other] = [graph.input("x", [2, 3]), graph.input("other", [2, 3])];
    const inner = activation(x, "silu");
    const loss = add(activation(inner, "gelu"), activation(other, "silu"));
    const forward = graph.nodes.length;
    const found = gradients(graph, loss, graph.input("upstream", [2, 3]), new Set([inner]));
    expect([...found.keys()]).toEqual([inner]);
    expect(operations(graph, forward)).toEqual(["geluBackward"]);
  });

  it("have no entry for what the loss does not depend on", () => {
    const graph = new Graph();
    const [x, other] = [graph.input("x", [2, 3]), graph.input("other", [2, 3])];
    const found = gradients(graph, activation(x, "silu"), graph.input("upstream", [2, 3]), new Set([x, other]));
    expect([...found.keys()]).toEqual([x]);
  });

  it("have the shape of the view that is wanted or differentiated", () => {
    const graph = new Graph();
    const x = graph.input("x", [2, 3]);
    const flat = graph.view(x, [6]);
    const loss = graph.view(activation(graph.view(x, [3, 2]), "silu"), [1, 6]);
    const found = gradients(graph, loss, graph.input("upstream", [1, 6]), new Set([x, flat]));
    expect(found.get(x)!.shape).toEqual([2, 3]);
    expect(found.get(flat)!.shape).toEqual([6]);
    expect(found.get(flat)!.root).toBe(found.get(x)!.root);
  });

  it("are those of the loss itself where it is wanted", () => {
    const graph = new Graph();
    const upstream = graph.input("upstream", [3]);
    const loss = activation(graph.input("x", [3]), "silu");
    expect(gradients(graph, loss, upstream, new Set([loss])).get(loss)).toBe(upstream);
  });

  it("are handed out as soon as they are complete", () => {
    const graph = new Graph();
    const [x, once] = [graph.input("x", [3]), graph.input("once", [3])];
    const loss = add(activation(add(activation(x, "silu"), once), "gelu"), x);
    const forward = graph.nodes.length;
    const seen: [Tensor, string[]][] = [];
    const upstream = graph.input("upstream", [3]);
    gradients(graph, loss, upstream, new Set([x, once, loss]), (one) => seen.push([one, operations(graph, forward)]));
    expect(seen).toEqual([[once, ["geluBackward"]], [x, ["geluBackward", "siluBackward", "add"]], [loss, ["geluBackward", "siluBackward", "add"]]]);
  });

  it("name an operation without a backward rule, and pass by those that do not matter", () => {
    const graph = new Graph();
    const x = graph.input("x", [2, 3]);
    const table = { index: graph.input("index", [2, 1], "u32"), weight: graph.input("weight", [2, 1]) };
    const upstream = graph.input("upstream", [2, 3]);
    graph.within("a.b", () => argmax(x));
    const mixed = graph.within("a.c", () => mixRows(x, table.index, table.weight));
    expect(() => gradients(graph, mixed, upstream, new Set([x]))).toThrow("gradients: mixRows at a.c has no backward rule for [2, 3]");
    const sums = columnSums(x);
    expect(() => gradients(graph, sums, graph.input("ones", [3]), new Set([x]))).toThrow("columnSums at the root");
    const loss = activation(x, "silu");
    expect(gradients(graph, loss, upstream, new Set([x])).has(x)).toBe(true);
  });
});
