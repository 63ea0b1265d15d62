import { expect, it } from "vitest";
import { drawCurve } from "llava-webgpu/train";

const points = (svg: string): [number, number][][] =>
  [...svg.matchAll(/<polyline points="([^"]+)"/g)].map(([, list]) => list!.split(" ").map((point) => point.split(",").map(Number) as [number, number]));

it("draws losses and their running mean, which starts anew with every stage", () => {
  const training = Array.from({ length: 400 }, (_, i) => ({ step: i + 1, loss: i < 200 ? 4 : 1 }));
  const svg = drawCurve({ title: "Loss", training, heldOut: [{ step: 400, loss: 2 }], stages: [{ step: 0, name: "one" }, { step: 200, name: "two" }] });
  const [first, second, firstMean, secondMean] = points(svg) as [[number, number][], [number, number][], [number, number][], [number, number][]];
  expect([first, second, firstMean, secondMean].map(({ length }) => length)).toEqual([200, 200, 200, 200]);
  // Constant losses are their own mean from the first step on.
  expect(firstMean).toEqual(first);
  expect(secondMean).toEqual(second);
  expect(second[0]![1]).toBeGreaterThan(first[0]![1]);
  expect(svg.match(/<circle/g)).toHaveLength(1);
});

it("puts names of short stages below one another, and of long ones on one line", () => {
  const training = Array.from({ length: 1000 }, (_, i) => ({ step: i + 1, loss: 1 }));
  const stages = [{ step: 0, name: "tower" }, { step: 490, name: "stage 1" }, { step: 500, name: "stage 2" }, { step: 900, name: "again" }];
  const svg = drawCurve({ title: "Loss", training, heldOut: [], stages });
  const heights = stages.map(({ name }) => Number(new RegExp(`y="([\\d.]+)">${name}<`).exec(svg)![1]));
  expect(heights[1]).toBe(heights[0]);
  expect(heights[2]).toBeGreaterThan(heights[1]!);
  expect(heights[3]).toBe(heights[0]);
});

it("writes names as text, and draws nothing of a run without steps", () => {
  const svg = drawCurve({ title: "<a> & b", training: [], heldOut: [], stages: [] });
  expect(svg).toContain("&#60;a&#62; &#38; b");
  expect(points(svg)).toEqual([]);
});

it("draws a loss from before the first step", () => {
  const svg = drawCurve({ title: "Loss", training: [{ step: 0, loss: 2 }, { step: 1, loss: 1 }], heldOut: [], stages: [{ step: 0, name: "one" }] });
  expect(points(svg).map(({ length }) => length)).toEqual([2, 2]);
});
