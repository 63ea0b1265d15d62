/**
 * The gradients of every operation equal differences of L = Σ u · y along random directions, for a random gradient u from
 * above. Errors are shares of the gradient's length, which is how large the derivative is along such directions.
 */
import { afterAll, describe, expect, it } from "vitest";
import { Random } from "../../kernels/random.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { type Parameter, Scalar, type Tensor } from "../../src/graph/tensor.ts";
import * as ops from "../../src/ops/index.ts";
import { testAdapters } from "../harness/adapters.ts";
import { bilinearTable, type RowMixValues, rowTable, transposedTable } from "../harness/row-tables.ts";
import { Sketch } from "../harness/sketch.ts";
import { dot, moved, sizeOf, slope } from "../harness/slope.ts";

/** Allowed |difference - d · gradient|. */
const LIMIT = 5e-5;
const DIRECTIONS = 3;

/** Traces an operation on inputs and weights of the sketch. */
type Trace = (draw: Draw) => Tensor | Promise<Tensor>;

/** Inputs and weights of random values. */
class Draw {
  constructor(
    readonly sketch: Sketch,
    readonly random: Random,
  ) {}

  get graph(): Graph {
    return this.sketch.graph;
  }

  input(name: string, shape: readonly number[]): Tensor {
    return this.sketch.input(name, shape, this.random.normal(sizeOf(shape)));
  }

  /** Values around `mean`. */
  parameter(name: string, shape: readonly number[], mean = 0, blocks = 1): Promise<Parameter> {
    return this.sketch.parameter(name, shape, this.random.normal(sizeOf(shape), mean, 0.5), blocks);
  }

  ids(name: string, ids: readonly number[]): Tensor {
    return this.sketch.constant(name, [ids.length], Uint32Array.from(ids));
  }

  table(name: string, { rows, taps, index, weight }: RowMixValues): ops.RowMix {
    return {
      index: this.sketch.constant(`${name} index`, [rows, taps], index),
      weight: this.sketch.constant(`${name} weight`, [rows, taps], weight),
    };
  }
}

const usedTwice: Trace = (draw) => {
  const x = draw.input("x", [5, 7]);
  return ops.add(x, ops.activation(x, "silu"));
};

const addColumns: Trace = (draw) => {
  const blocks = [{ of: draw.input("a", [5, 4]), column: 0 }, { of: draw.input("b", [5, 5]), column: 6 }];
  return ops.addColumns(draw.input("x", [5, 11]), blocks);
};

const linear: Trace = async (draw) =>
  ops.linear(draw.input("x", [5, 13]), await draw.parameter("weight", [11, 13]), await draw.parameter("bias", [11]));

const linearInBlocks: Trace = async (draw) =>
  ops.linear(draw.input("x", [2, 3, 13]), await draw.parameter("weight", [11, 13], 0, 3));

const layerNorm: Trace = async (draw) => {
  const [weight, bias] = [await draw.parameter("weight", [37], 1), await draw.parameter("bias", [37])];
  return ops.layerNorm(draw.input("x", [5, 37]), weight, bias, 1e-5);
};

const attention = (options: Pick<ops.AttentionOptions, "causal" | "window">): Trace => (draw) => {
  const [heads, keyValueHeads, headSize, batch, tokens] = [4, 2, 6, 2, 7];
  // Queries, keys and values side by side in one value, as the models have them.
  const qkv = draw.input("qkv", [batch * tokens, (heads + 2 * keyValueHeads) * headSize]);
  const at = (offset: number) => ({ of: qkv, offset: offset * headSize });
  const sizes = { heads, keyValueHeads, headSize, batch, queries: tokens, keys: tokens };
  return ops.attention(at(0), at(heads), at(heads + keyValueHeads), { ...sizes, ...options });
};

const crossAttention: Trace = (draw) => {
  const [heads, headSize, batch] = [3, 5, 2];
  const side = (name: string, tokens: number) => ({ of: draw.input(name, [batch * tokens, heads * headSize]), offset: 0 });
  const sizes = { heads, keyValueHeads: heads, headSize, batch, queries: 3, keys: 11 };
  return ops.attention(side("q", 3), side("k", 11), side("v", 11), { ...sizes, causal: false });
};

const patchTokens = (prefix: number): Trace => async (draw) => {
  const position = await draw.parameter("position", [prefix + 4, 5]);
  return ops.patchTokens(draw.input("patches", [12, 5]), 3, position, prefix ? await draw.parameter("class", [5]) : undefined);
};

const rotary: Trace = async (draw) => {
  const table = await draw.sketch.resident("table", [9, 6], Float32Array.from({ length: 54 }, (_, i) => {
    const angle = Math.floor(i / 6) * 100 ** (-(i % 3) / 3);
    return i % 6 < 3 ? Math.cos(angle) : Math.sin(angle);
  }));
  // Two heads in the middle of wider rows; two sequences.
  return ops.rotary({ of: draw.input("x", [10, 19]), offset: 5 }, table, { heads: 2, headSize: 6, position: 4, sequence: 5 });
};

const dropout: Trace = (draw) => {
  draw.graph.dropoutSeed = new Scalar("seed", 100);
  draw.sketch.scalars.seed = 7;
  return ops.dropout(draw.input("x", [11, 7]), 0.3);
};

const mixRows: Trace = (draw) => {
  const table = bilinearTable(2, [5, 3], [2, 4]);
  const { index, weight } = draw.table("table", table);
  return ops.mixRows(draw.input("x", [30, 7]), index, weight, draw.table("transposed", transposedTable(table, 30)));
};

const placeRows: Trace = (draw) => {
  const source = [ops.TEXT, 0, 1, ops.TEXT, 2];
  const inverse = {
    text: draw.table("text", rowTable(source.map((row, i) => [[i, row === ops.TEXT ? 1 : 0]]))),
    rows: draw.table("rows", rowTable([1, 2, 4].map((i) => [[i, 1]]))),
  };
  return ops.placeRows(draw.input("text", [5, 7]), draw.input("rows", [3, 7]), draw.ids("source", source), inverse);
};

const linearCrossEntropy: Trace = async (draw) => {
  const head = await draw.parameter("head", [23, 7], 0, 2);
  const labels = draw.ids("labels", [3, ops.IGNORED, 22, 3, 0]);
  const weight = draw.sketch.constant("weight", [5], Float32Array.of(0.5, 2, 1, 0.25, -1));
  return ops.linearCrossEntropy(draw.input("hidden", [5, 7]), head, labels, weight);
};

/** At least one trace of every operation with a backward rule. */
const traces: readonly (readonly [operation: keyof typeof ops, trace: Trace, note?: string])[] = [
  ...(["gelu", "gelu-tanh", "quick-gelu", "silu"] as const).map(
    (kind) => ["activation", (draw: Draw) => ops.activation(draw.input("x", [5, 13]), kind), kind] as const,
  ),
  ["add", (draw) => ops.add(draw.input("a", [5, 7]), draw.input("b", [5, 7]))],
  ["add", usedTwice, "a value used twice"],
  ["addColumns", addColumns],
  ["attention", attention({ causal: true }), "causal, grouped"],
  ["attention", attention({ causal: true, window: 3 }), "causal in a window"],
  ["attention", attention({ causal: false }), "full"],
  ["attention", crossAttention, "more keys than queries"],
  ["concat", (draw) => ops.concat([draw.input("a", [2, 7]), draw.input("b", [3, 7])], "rows"), "rows"],
  ["concat", (draw) => ops.concat([draw.input("a", [5, 2]), draw.input("b", [5, 7])], "columns"), "columns"],
  ["dropFirst", (draw) => ops.dropFirst(draw.input("x", [2, 5, 7]), 2)],
  ["dropFirst", (draw) => ops.dropFirst(draw.input("x", [1, 5, 7]), 1), "one sequence"],
  ["dropout", dropout],
  ["embedding", async (draw) => ops.embedding(draw.ids("ids", [4, 0, 4, 10]), await draw.parameter("table", [11, 7], 0, 2))],
  ...(["gelu", "gelu-tanh", "silu"] as const).map(
    (kind) => ["gated", (draw: Draw) => ops.gated(draw.input("x", [5, 26]), kind), kind] as const,
  ),
  ["layerNorm", layerNorm],
  ["linear", linear],
  ["linear", linearInBlocks, "weight in three buffers"],
  ["linearCrossEntropy", linearCrossEntropy],
  ["mixRows", mixRows],
  ["parameterRow", async (draw) => ops.parameterRow(draw.graph, await draw.parameter("row", [7]))],
  ["patchTokens", patchTokens(0), "no class token"],
  ["patchTokens", patchTokens(1), "with a class token"],
  ["placeRows", placeRows],
  ["rmsNorm", async (draw) => ops.rmsNorm(draw.input("x", [5, 37]), await draw.parameter("weight", [37], 1), 1e-5)],
  ["rotary", rotary],
  ["scale", (draw) => ops.scale(draw.input("x", [5, 7]), -1.75)],
  ["sliceRows", (draw) => ops.sliceRows(draw.input("x", [7, 11]), { rows: 3, width: 5, fromRow: 2, fromColumn: 4 })],
  ["softmax", (draw) => ops.softmax(draw.input("x", [5, 13]), 0.7)],
  ["softmax", (draw) => ops.softmax(draw.input("x", [17, 12])), "many rows"],
  ["tanhGate", async (draw) => ops.tanhGate(draw.input("x", [5, 7]), draw.input("z", [5, 7]), await draw.parameter("gate", [1], 0.5))],
  ["unfold", (draw) => ops.unfold(draw.input("pixels", [2, 3, 7, 8]), 3)],
];

/** The operations that no gradient flows through. */
const withoutGradient: Readonly<Partial<Record<keyof typeof ops, Trace>>> = {
  addInto: (draw) => {
    const sum = ops.zeros(draw.graph, [5, 7]);
    ops.addInto(draw.input("x", [5, 7]), sum, { rows: 5, width: 7 });
    return sum;
  },
  argmax: (draw) => ops.argmax(draw.input("x", [5, 7])),
  attentionWeights: (draw) => {
    const side = (name: string) => ({ of: draw.input(name, [5, 6]), offset: 0 });
    const sizes = { heads: 1, keyValueHeads: 1, headSize: 6, queries: 5, keys: 5 };
    return ops.attentionWeights(side("q"), side("k"), { ...sizes, causal: true });
  },
  columnSums: (draw) => ops.columnSums(draw.input("x", [5, 7])),
  outerProducts: (draw) => ops.outerProducts(draw.input("dy", [5, 7]), draw.input("x", [5, 6])),
  writeRows: async (draw) => {
    const x = draw.input("x", [5, 7]);
    ops.writeRows(draw.graph, x, await draw.sketch.resident("cache", [5, 7], new Float32Array(35)), { rows: 5, width: 7 });
    return x;
  },
  zeros: (draw) => ops.zeros(draw.graph, [5, 7]),
};

describe("operations", () => {
  it("are all differentiated here, or have no backward rule", () => {
    const operations = Object.entries(ops).flatMap(([name, value]) => (typeof value === "function" ? [name] : []));
    const known = new Set<string>([...traces.map(([operation]) => operation), ...Object.keys(withoutGradient)]);
    expect([...known].toSorted()).toEqual(operations.toSorted());
  });
});

for (const found of await testAdapters()) {
  const gpu = await Gpu.open(found);
  afterAll(() => gpu.dispose());

  describe(`finite differences on ${found.name}`, () => {
    for (const [operation, trace, note] of traces) {
      it(note ? `${operation}: ${note}` : operation, async () => {
        const sketch = new Sketch(gpu);
        const random = new Random(2026);
        try {
          const y = await trace(new Draw(sketch, random));
          // The gradient of a loss is that of the sum of its rows, by definition.
          const upstream = operation === "linearCrossEntropy" ? new Float32Array(y.size).fill(1) : random.normal(y.size);
          const forward = await sketch.compile({ y });
          const { gradients } = await sketch.differentiate(y, upstream);
          for (const [name, gradient] of Object.entries(gradients)) {
            const values = sketch.values.get(name)!;
            const length = Math.sqrt(dot(gradient, gradient));
            for (let i = 0; i < DIRECTIONS; i++) {
              const direction = random.normal(values.length);
              const difference = await slope(1 / 16, async (at) => {
                sketch.set(name, moved(values, direction, at));
                sketch.run(forward);
                return dot((await forward.read("y")).data, upstream);
              });
              sketch.set(name, values);
              expect(Math.abs(difference - dot(gradient, direction)) / length, name).toBeLessThan(LIMIT);
            }
          }
        } finally {
          sketch.dispose();
        }
      });
    }

    for (const [operation, trace] of Object.entries(withoutGradient)) {
      it(`${operation} has no backward rule`, async () => {
        const sketch = new Sketch(gpu);
        try {
          await trace(new Draw(sketch, new Random(1)));
          expect(sketch.graph.nodes.filter(({ backward }) => backward)).toEqual([]);
        } finally {
          sketch.dispose();
        }
      });
    }
  });
}
